import { formatDuration, SECOND } from '../time.ts';
import type { StatusReport, StatusWindow, StreamStatus } from './status-report.ts';
import { count, cut, field, type Paint, plain, plural, readable } from './text.ts';

/** Windows, rules and letters that are shown of each; the report itself holds all. */
const SHOWN = 3;
const LONGEST = 160;

/** For a terminal: all streams on one screen. */
export function formatStatus(report: StatusReport, paint: Paint = plain): string {
  const { warehouse } = report;
  const trouble = warehouse.state === 'ok' ? '' : ` ${paint(warehouse.state === 'busy' ? 'warn' : 'bad', `(${warehouse.state})`)}`;
  const head = [
    paint('dim', `at ${readable(report.at)}  store ${report.store}  warehouse ${warehouse.url}`) + trouble,
    ...(warehouse.state === 'busy' ? ['The warehouse is open in another process: a run is loading. Ask again for its rows.'] : []),
    ...(warehouse.state === 'failed' ? [paint('bad', warehouse.problem ?? '')] : []),
  ];
  return [head.join('\n'), ...report.streams.map((stream) => formatStream(stream, paint))].join('\n\n');
}

const STYLES = { ok: 'good', late: 'bad', held: 'warn', incomplete: 'warn', 'never run': 'warn', unknown: 'warn' } as const;

function formatStream(status: StreamStatus, paint: Paint): string {
  const { verdict } = status;
  const lines = [
    `${paint('bold', status.stream)}  ${paint(STYLES[verdict.state], verdict.state)}  ${verdict.what}`,
    ...verdict.why.map((reason, at) => field(at > 0 ? '' : verdict.state === 'ok' ? 'note' : 'why', cut(reason, LONGEST))),
    field('fetched to', readable(status.fetchedWatermark)),
    field('loaded to', loadedText(status)),
    field('table', tableText(status)),
    field('certified', certifiedText(status)),
    field('held by', holderText(status)),
    ...windowLines('begun', status.open),
    ...windowLines(
      'not loaded',
      status.pending.map((window) => ({ ...window, note: window.state })),
    ),
    ...windowLines(
      'due now',
      status.due.map((window) => ({ ...window, note: `${window.reason}: ${window.why}` })),
    ),
    ...status.next.map(({ at, reason, why }, index) => field(index === 0 ? 'planned' : '', `${readable(at)} ${reason}, ${why}`)),
    field('lateness', cut(latenessText(status), LONGEST)),
    ...status.deadLetters
      .slice(0, SHOWN)
      .map(({ id, reason, lookedUp }) => field('dead letter', cut(`${id}: ${repaired(lookedUp)}${reason}`, LONGEST))),
    ...incidentLines(status),
    ...status.backfills
      .slice(0, SHOWN)
      .map(({ from, to }, at) =>
        field(at === 0 ? 'backfill' : '', `${readable(from)} to ${readable(to)}, not finished; if nobody is at it, run the command again`),
      ),
    ...status.held.slice(0, SHOWN).map(({ batch, reason }) => field('held batch', cut(`${batch}: ${reason}`, LONGEST))),
    ...status.quarantine
      .slice(0, SHOWN)
      .map(({ rule, records }, at) => field(at === 0 ? 'quarantine' : '', `${plural(records, 'record')} by ${rule}`)),
    ...(verdict.state === 'ok' ? [] : [field('safe', verdict.safe)]),
    ...verdict.next.map((command, at) => field(at === 0 ? 'next' : '', command)),
  ];
  return lines.join('\n');
}

const repaired = (lookedUp: number): string =>
  lookedUp === 0 ? '' : `${plural(lookedUp, 'record')} looked up, open whether that was all: `;

/** What is open, or else the last one. */
function incidentLines({ incidents }: StreamStatus): string[] {
  const open = incidents.filter(({ end }) => end === null);
  return (open.length > 0 ? open.slice(0, 1) : incidents.slice(0, 1)).map(({ begin, end, reason, effect }) => {
    if (!effect) return field('incident', cut(`since ${readable(begin)} the source does not answer: ${reason}`, LONGEST));
    const cost = `${plural(effect.failedRequests, 'request')} failed, ${plural(effect.windows, 'window')} waited`;
    return field('last away', `${readable(begin)} to ${readable(end)}: ${cost}`);
  });
}

function loadedText({ loadedWatermark, freshnessSeconds, deadlineSeconds, loadedWatermarkIsEstimate, lastLoad }: StreamStatus): string {
  if (loadedWatermark === null || freshnessSeconds === null) return 'never';
  const estimate = loadedWatermarkIsEstimate ? 'about ' : '';
  const behind = `${formatDuration(Math.max(0, freshnessSeconds) * SECOND)} behind, ${formatDuration(deadlineSeconds * SECOND)} allowed`;
  return `${estimate}${readable(loadedWatermark)}, ${behind}${lastLoad ? `; last load ${readable(lastLoad.at)}, ${plural(lastLoad.rows, 'row')}` : ''}`;
}

function latenessText({ lateness: { measured, overlapSeconds, why } }: StreamStatus): string {
  const late = measured ? `${Number((100 * measured.lateShare).toFixed(2))}% of new records late; ` : '';
  return `${late}polls look back ${formatDuration(overlapSeconds * SECOND)}: ${why}`;
}

function certifiedText({ certified: { upTo, behindSeconds, breachedHours } }: StreamStatus): string {
  const behind =
    behindSeconds === null || behindSeconds < 3600 ? '' : `, ${formatDuration(behindSeconds * SECOND)} behind the lateness bound`;
  const breached = breachedHours > 0 ? `; something came later into ${plural(breachedHours, 'hour')}: tidemark verify` : '';
  return `${upTo === null ? 'no hour yet' : `up to ${readable(upTo)}`}${behind}${breached}`;
}

function tableText({ table, schemaVersion }: StreamStatus): string {
  const rows = table === null ? 'rows not known' : plural(table.rows, 'row');
  return `${rows}${table?.latest ? `, latest ${readable(table.latest)}` : ''}${schemaVersion === null ? '' : `, schema version ${schemaVersion}`}`;
}

function holderText({ holder }: StreamStatus): string {
  if (!holder) return 'nobody';
  const states = { running: 'running', gone: 'gone; the next run takes over at once', unknown: 'cannot be seen from here' };
  return `process ${holder.pid} on ${holder.host}, epoch ${count(holder.epoch)}: ${states[holder.state]}`;
}

function windowLines(label: string, windows: readonly (StatusWindow & { readonly note?: string })[]): string[] {
  const shown = windows
    .slice(0, SHOWN)
    .map(({ kind, start, end, note }) => `${kind} ${readable(start)} to ${readable(end)}${note ? `, ${note}` : ''}`);
  const rest = windows.length > SHOWN ? [`… and ${count(windows.length - SHOWN)} more`] : [];
  return [...shown, ...rest].map((line, at) => field(at === 0 ? label : '', line));
}
