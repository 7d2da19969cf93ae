import type { Usage } from './child.ts';
import type { Options } from './options.ts';
import { ratioLine, ratiosOf, seenLine } from './ratios.ts';
import type { Measurements, Round } from './stages.ts';
import type { TableVerdict } from './verdict.ts';

/**
 * What the stages are held to. The partner allows one key 83,000 events a second; they are counted on one core, by the CPU that fetch used.
 * The normalizer's bars are in ratios.ts.
 */
export const BARS = { fetchPerSecond: 83_000, loadPerSecond: 100_000, peakBytes: 2 * 2 ** 30 } as const;

export interface Outcome {
  readonly options: Options;
  readonly machine: string;
  readonly measurements: Measurements;
  readonly table: TableVerdict;
  readonly contradictions: readonly string[];
}

export function screen(outcome: Outcome): string {
  const { options, machine, measurements, table, contradictions } = outcome;
  const { events, seed } = options.workload;
  const { written, load } = measurements;
  const lines = [
    `workload   ${count(events)} payments events (seed ${seed}), ${count(written.result.bytes / 1e6)} MB as NDJSON, 29 to 32 fields, 3% later versions`,
    `machine    ${machine}`,
    '',
    row('', 'events/s', 'CPU s/M', 'peak MiB', ''),
    ...stageRows(outcome),
    '',
    fetchLine(outcome),
    ...ratiosOf(measurements.rounds).map(ratioLine),
    seenLine(measurements.rounds),
    `memory     ${Math.round(greatestPeak(measurements) / 2 ** 20)} MiB at most; bar 2048: ${verdict(greatestPeak(measurements) < BARS.peakBytes)}`,
    `table      ${count(load.result.inserted)} rows, hash ${measurements.table.result.hash}: ${table}`,
    ...contradictions.map((contradiction) => `WRONG      ${contradiction}`),
  ];
  return `${lines.join('\n')}\n`;
}

function stageRows({ options, measurements }: Outcome): string[] {
  const { events } = options.workload;
  const { fetch, rounds, load, loadFilled } = measurements;
  const of = (stage: keyof Round): Usage => middle(rounds.map((round) => round[stage]));
  const perSecond = (of: number, usage: Usage): number => of / usage.seconds;
  const line = (name: string, of: number, usage: Usage, remark = ''): string =>
    row(name, count(perSecond(of, usage)), ((usage.cpuSeconds / of) * 1e6).toFixed(1), count(usage.peakBytes / 2 ** 20), remark);
  const rows = load.result.inserted;
  const filled = loadFilled.result.inserted + loadFilled.result.updated;
  return [
    line('fetch', events, fetch, 'with landing, index, shapes and receipts; below'),
    line('normalize', events, of('normalize')),
    line('normalize, foreign', events, of('foreign'), 'the same bodies without receipts and indexes'),
    line('normalize, seen', events, of('seen'), 'the same window again, when all of it is loaded'),
    line('floor', events, of('floor'), 'DuckDB parses plain lines and writes Parquet, no more'),
    line('textbook query', events, of('textbook'), 'on plain lines'),
    line('textbook on pages', events, of('textbookOnPages'), 'the landed bodies as they are, unnested'),
    line('load (rows)', rows, load, bar(perSecond(rows, load), BARS.loadPerSecond)),
    line(
      'load, filled',
      filled,
      loadFilled,
      bar(perSecond(filled, loadFilled), BARS.loadPerSecond, '; rows into a filled table, half new, half later'),
    ),
  ];
}

/** What one core does, and what landing pays of it for the stages behind, so that nothing hides there. */
function fetchLine({ options, measurements: { fetch, landing, partnerCpuSeconds } }: Outcome): string {
  const { events } = options.workload;
  const each = (cpuSeconds: number): string => ((cpuSeconds / events) * 1e6).toFixed(1);
  const { reading, index } = landing.result;
  const parts = `reading bodies with their shapes ${each(reading)}, indexes ${each(index)}; the partner beside it ${each(partnerCpuSeconds)}`;
  return `fetch      ${bar(events / fetch.cpuSeconds, BARS.fetchPerSecond)}: ${count(events / fetch.cpuSeconds)} events/s a core, ${each(fetch.cpuSeconds)} CPU s/M, of it ${parts}`;
}

const bar = (found: number, least: number, remark = ''): string => `bar ${count(least)}: ${verdict(found >= least)}${remark}`;
const verdict = (holds: boolean): string => (holds ? 'ok' : 'MISSED');

/** The run whose time is the median. */
function middle(usages: readonly Usage[]): Usage {
  const sorted = usages.toSorted((a, b) => a.seconds - b.seconds);
  return sorted[Math.floor(sorted.length / 2)] as Usage;
}

const greatestPeak = ({ fetch, rounds, load, loadFilled }: Measurements): number =>
  [fetch, load, loadFilled, ...rounds.flatMap(({ normalize, foreign, seen }) => [normalize, foreign, seen])].reduce(
    (peak, { peakBytes }) => Math.max(peak, peakBytes),
    0,
  );

const count = (value: number): string => Math.round(value).toLocaleString('en');
const row = (name: string, perSecond: string, cpu: string, peak: string, remark: string): string =>
  `${name.padEnd(20)}${perSecond.padStart(10)}${cpu.padStart(9)}${peak.padStart(10)}   ${remark}`.trimEnd();
