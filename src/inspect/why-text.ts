import { chunks, count, cut, field, type Paint, plain, plural, readable, WIDTH, wrap } from './text.ts';
import { type WhyBatch, type WhyKey, type WhyObservation, type WhyProof, type WhyReport, type WhyWindow } from './why-report.ts';

/** Losing observations that are shown; the report itself holds more. */
const LOSERS = 5;
/** Characters of the record that are shown. */
const RECORD = 600;

/** For a terminal: one screen for one key. */
export function formatWhy(report: WhyReport, paint: Paint = plain): string {
  const keys = report.keys.map((key) => formatKey(key, report, paint));
  return [...keys, ...footer(report, paint)].join('\n\n');
}

function formatKey(key: WhyKey, { stream }: WhyReport, paint: Paint): string {
  const name = Object.values(key.key).join('/');
  const winner = key.observations.find((observation) => observation.won);
  const others = key.observations.filter((observation) => observation !== winner);
  const lines = [
    paint('bold', `${stream} ${name}`),
    ...wrap(key.verdict, WIDTH).map((line) => paint(key.agrees ? 'good' : 'bad', line)),
    ...(winner ? ['', ...observationLines(winner, paint)] : []),
    ...(key.bytes ? recordLines(key.bytes) : []),
    ...(others.length > 0 ? ['', `  ${paint('bold', plural(others.length, 'other landed copy', 'other landed copies'))}`] : []),
    ...others.slice(0, LOSERS).map((observation) => loserLines(observation, paint)),
    ...rest(key, others.length, paint),
    ...(key.quarantined.length > 0
      ? ['', `  ${paint('bold', 'quarantine')}`, ...key.quarantined.slice(0, LOSERS).map(quarantineLine)]
      : []),
  ];
  return lines.join('\n');
}

/** The record as it landed, cut. */
function recordLines({ text, length }: NonNullable<WhyKey['bytes']>): string[] {
  const shown = length > RECORD ? `${cut(text, RECORD)} (${count(length)} bytes)` : text;
  return chunks(shown, WIDTH - 16).map((line, at) => `  ${(at === 0 ? 'record' : '').padEnd(14)}${line}`);
}

function rest(key: WhyKey, others: number, paint: Paint): string[] {
  const hidden = key.observationCount - 1 - Math.min(others, LOSERS);
  return hidden > 0 && others > LOSERS ? [paint('dim', `  … and ${count(hidden)} more: --json lists them`)] : [];
}

function observationLines(observation: WhyObservation, paint: Paint): string[] {
  const { page, position, span, landing, contentHash } = observation;
  const bytes = span ? `, bytes ${count(span.start)}–${count(span.end)}` : '';
  return [
    field('version', versionText(observation)),
    field('page', page),
    field('place', `record ${count(position)}${bytes}`),
    field('page bytes', proofText(observation.proof, paint)),
    field('record bytes', recordText(observation.proof, contentHash, paint)),
    ...(landing
      ? [
          field('request', `${landing.requestId ?? 'no id'}  ${landing.url}`),
          field(
            'landed',
            `${readable(landing.landedAt)}, status ${landing.status}, ${plural(landing.attempts, 'attempt')}, slot ${landing.slot} of ${windowText(landing.window)}`,
          ),
        ]
      : []),
    ...observation.batches.map((batch) => field('batch', batchText(batch))),
  ];
}

function proofText({ page, sha256, problem }: WhyProof, paint: Paint): string {
  if (page === 'verified') return `${paint('good', 'verified')}, sha256 ${sha256}`;
  if (page === 'no receipt') return `read, sha256 ${sha256}; nobody wrote a receipt of this body`;
  return `${paint('bad', page)}: ${problem ?? ''}`;
}

function recordText({ record, problem }: WhyProof, contentHash: string, paint: Paint): string {
  if (record === 'verified') return `${paint('good', 'verified')}, content hash ${contentHash}`;
  return `${paint('bad', record)}: ${problem ?? 'it cannot be read'}`;
}

function loserLines(observation: WhyObservation, paint: Paint): string {
  const { proof, page, position } = observation;
  const sound = proof.record === 'verified' ? '' : paint('bad', `  bytes ${proof.record}: ${proof.problem ?? proof.page}`);
  return [`  ${versionText(observation)}  ${observation.reason}`, paint('dim', `    ${page} #${position}`) + sound].join('\n');
}

const versionText = ({ version }: WhyObservation): string =>
  Object.entries(version)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

function batchText({ batch, origin, transform, window, state, loadedAt, queryId }: WhyBatch): string {
  const when = loadedAt ? ` ${readable(loadedAt)}` : '';
  return `${batch}, ${origin}${transform > 0 ? `, transform ${transform}` : ''}${window ? ` of ${windowText(window)}` : ''}, ${state}${when}${queryId ? `, query ${queryId}` : ''}`;
}

const windowText = ({ kind, start, end }: WhyWindow): string => `${kind} ${readable(start)} to ${readable(end)}`;

const quarantineLine = (record: WhyKey['quarantined'][number]): string =>
  field(record.state, `${record.id}  ${record.rule}; ${record.reason}\n${record.page} #${record.position}`);

function footer({ searched, pending, more, keys }: WhyReport, paint: Paint): string[] {
  const notes = [
    `Searched ${plural(searched.sightings, 'sighting')} of ${plural(searched.batches, 'batch', 'batches')}.`,
    ...(more ? [`More keys fit; the first ${keys.length} are shown. Name the key columns to narrow it down.`] : []),
    ...(pending.length > 0
      ? [`${plural(pending.length, 'window')} landed and not normalized yet may hold more copies: \`tidemark run --once\`.`]
      : []),
  ];
  const lines = notes.map((note) => paint('dim', note));
  const unreadable = searched.unreadable.map((file) => paint('bad', `Not searched: ${file}`));
  return [[...lines, ...unreadable].join('\n')];
}
