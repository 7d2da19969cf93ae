import { count, cut, field, type Paint, plain, plural, readable, steps, table, wrap } from './text.ts';
import type { Finding, VerifyReport } from './verify-report.ts';

/** Samples and gaps that are shown; the report itself holds more. */
const SHOWN = 3;
const MEGABYTE = 1_000_000;

/** For a terminal: one screen a stream. */
export function formatVerify(report: VerifyReport, paint: Paint = plain): string {
  const { stream, findings, next } = report;
  const lines = [
    `${paint('bold', stream)}  ${verdictLine(report, paint)}`,
    field('raw', rawLine(report)),
    field('batches', batchLine(report)),
    field('table', `${plural(report.table.rows, 'row')}; the law gives ${plural(report.table.expected, 'key')} from what is loaded`),
    field('coverage', coverageLine(report)),
    ...report.coverage.gaps.slice(0, SHOWN).map((gap) => field('', gapLine(gap))),
    ...moreLine(report.coverage.gaps.length, paint),
    field('certified', certifiedLine(report)),
    ...report.certificates.breaches.slice(0, SHOWN).map((breach) => field('', breachLine(breach))),
    ...moreLine(report.certificates.breaches.length, paint),
    ...(report.money ?? []).map((sums, at) => field(at === 0 ? 'money' : '', moneyLine(sums))),
    ...findings.flatMap((finding) => ['', ...findingLines(finding, paint)]),
    ...(next.length > 0 ? ['', ...steps(next)] : []),
  ];
  return lines.join('\n');
}

function verdictLine({ verdict, findings, coverage, range }: VerifyReport, paint: Paint): string {
  const within = range ? ` (${readable(range.from)} to ${range.to === null ? 'now' : readable(range.to)})` : '';
  if (verdict === 'ok') return `${paint('good', 'ok')}${within}: raw pages, batches and table say the same, and nothing is missing`;
  if (verdict === 'incomplete')
    return `${paint('warn', 'incomplete')}${within}: what is there is right, ${plural(coverage.gaps.length, 'stretch', 'stretches')} of time could not be asked`;
  return `${paint('bad', 'differs')}${within}: ${findings.map((finding) => `${finding.kind} ${count(finding.count)}`).join(', ')}`;
}

function rawLine({ raw }: VerifyReport): string {
  const pending =
    raw.pendingWindows > 0
      ? `; ${plural(raw.pendingWindows, 'window')} not loaded yet, ${plural(raw.notNormalized, 'page')} of them not normalized`
      : '';
  const superseded = raw.superseded > 0 ? `; ${plural(raw.superseded, 'page')} superseded before they were committed` : '';
  return `${plural(raw.pages, 'page')} of ${plural(raw.manifests, 'window')}, ${plural(raw.records, 'record')}, ${count(Math.round(raw.bytes / MEGABYTE))} MB hashed again${pending}${superseded}`;
}

function batchLine({ batches }: VerifyReport): string {
  const held = batches.held > 0 ? `, ${count(batches.held)} held` : '';
  const counted = `${plural(batches.sightings, 'sighting')}, ${count(batches.quarantined)} in quarantine`;
  return `${count(batches.published)} published, ${count(batches.loaded)} loaded${held}; ${counted}`;
}

function coverageLine({ coverage }: VerifyReport): string {
  if (coverage.from === null) return 'nothing was polled yet';
  const gaps = coverage.gaps.length === 0 ? 'without a gap' : `with ${plural(coverage.gaps.length, 'gap')}:`;
  return `${readable(coverage.from)} to ${readable(coverage.to)} ${gaps}`;
}

const gapLine = ({ from, to, deadLetter }: VerifyReport['coverage']['gaps'][number]): string =>
  `${readable(from)} to ${readable(to)}, ${deadLetter ? `dead letter ${deadLetter}` : 'in no committed window'}`;

function certifiedLine({ certificates: { hours, from, to, last, breaches } }: VerifyReport): string {
  if (hours === 0) return 'no hour';
  const breached = breaches.length > 0 ? `; ${plural(breaches.length, 'breach', 'breaches')}:` : '';
  return `${plural(hours, 'hour')}, ${readable(from)} to ${readable(to)}, the last ${last?.slice(0, 16)}…${breached}`;
}

const breachLine = ({ hour, batch, cause, late, changed }: VerifyReport['certificates']['breaches'][number]): string =>
  `${readable(hour)}: ${plural(late, 'late observation')}, ${count(changed)} changed without a new version, by ${cause === 'source' ? 'the source' : 'a decision here'}, batch ${batch.slice(0, 8)}…`;

const moneyLine = ({ currency, landed, table: held, rows }: NonNullable<VerifyReport['money']>[number]): string =>
  landed === held
    ? `${currency} ${landed} in ${plural(rows, 'row')}, landed and loaded`
    : `${currency} ${landed} landed, ${held} in the table`;

const moreLine = (gaps: number, paint: Paint): string[] =>
  gaps > SHOWN ? [field('', paint('dim', `… and ${count(gaps - SHOWN)} more: --json lists them`))] : [];

function findingLines({ kind, count: found, meaning, samples }: Finding, paint: Paint): string[] {
  const shown = samples.slice(0, SHOWN).flatMap((sample) => wrap(cut(sample, 300), 94).map((line) => paint('dim', `    ${line}`)));
  const rest = found > SHOWN && samples.length > SHOWN ? [paint('dim', '    …')] : [];
  return [table([[paint('bad', kind), found, meaning]]), ...shown, ...rest];
}
