import { count, table } from '../../../inspect/text.ts';
import { ASSUMPTIONS, type Assumed, assumedValues } from './assumptions.ts';
import { cheapestSize, type DayCost, dayCost, longestMinutes, type Settings, SIZES, type Workload } from './model.ts';

/** What a day costs at each volume and cadence, and which settings are the cheapest that keep the deadline. */

export interface CostQuestion {
  /** For a window of so many minutes. */
  readonly workload: (minutes: number) => Workload;
  readonly recordsADay: readonly number[];
  readonly everyMinutes: readonly number[];
  readonly deadlineSeconds: number;
  readonly settings: Omit<Settings, 'recordsADay' | 'everyMinutes' | 'size'>;
}

export interface CostRow {
  /** fixed: asked for. adaptive: as seldom as the deadline allows, in the size that comes cheapest so. */
  readonly cadence: 'fixed' | 'adaptive';
  /** Null where no size keeps up. */
  readonly day: DayCost | null;
  readonly recordsADay: number;
  readonly everyMinutes: number | null;
  readonly meetsDeadline: boolean;
}

export interface CostReport {
  readonly shapes: readonly { readonly name: string; readonly source: string }[];
  readonly deadlineSeconds: number;
  readonly settings: CostQuestion['settings'];
  readonly rows: readonly CostRow[];
  readonly assumptions: typeof ASSUMPTIONS;
}

export function costReport(question: CostQuestion, assumed: Assumed = assumedValues()): CostReport {
  const { recordsADay, everyMinutes, deadlineSeconds, settings } = question;
  const shapes = everyMinutes.map((minutes) => question.workload(minutes)).flatMap(({ live, sweep }) => (sweep ? [live, sweep] : [live]));
  const rows = recordsADay.flatMap((records) => [
    ...everyMinutes.map((minutes) => fixedRow(question, records, minutes, assumed)),
    adaptiveRow(question, records, assumed),
  ]);
  const named = [...new Map(shapes.map(({ name, source }) => [name, { name, source }])).values()];
  return { shapes: named, deadlineSeconds, settings, rows, assumptions: ASSUMPTIONS };
}

function fixedRow(
  { workload, settings, deadlineSeconds }: CostQuestion,
  recordsADay: number,
  everyMinutes: number,
  assumed: Assumed,
): CostRow {
  const day = cheapestSize(workload(everyMinutes), { ...settings, recordsADay, everyMinutes }, assumed);
  return { cadence: 'fixed', day, recordsADay, everyMinutes, meetsDeadline: day !== null && day.worstSeconds <= deadlineSeconds };
}

function adaptiveRow({ workload, settings, deadlineSeconds }: CostQuestion, recordsADay: number, assumed: Assumed): CostRow {
  const days = SIZES.flatMap(([size]) => {
    const all = { ...settings, recordsADay, size };
    const everyMinutes = longestMinutes(workload, all, deadlineSeconds, assumed);
    return everyMinutes === null ? [] : [dayCost(workload(everyMinutes), { ...all, everyMinutes }, assumed)];
  });
  const day = days.toSorted((a, b) => a.credits - b.credits)[0] ?? null;
  return { cadence: 'adaptive', day, recordsADay, everyMinutes: day?.settings.everyMinutes ?? null, meetsDeadline: day !== null };
}

const MB = 1_000_000;
const megabytes = (bytes: number): string => `${count(Math.round(bytes / MB))} MB`;
const rounded = (value: number): string => value.toFixed(1);

export function costTable({ rows }: CostReport): string {
  const head = ['records a day', 'every', 'size', 'loads', 'scanned a load', 'rewritten', 'busy', 'at worst', 'in time', 'credits a day'];
  return table([head, ...rows.map(cells)], 0);
}

export function cells({ cadence, day, recordsADay, everyMinutes, meetsDeadline }: CostRow): readonly string[] {
  const volume = `${count(Math.round(recordsADay / MB))}M`;
  const every = `${everyMinutes === null ? '–' : `${everyMinutes}m`}${cadence === 'adaptive' ? ' (adaptive)' : ''}`;
  if (!day) return [volume, every, 'none keeps up', '', '', '', '', '', 'no', '–'];
  const { load, loads, busySeconds, worstSeconds, settings, credits } = day;
  return [
    volume,
    every,
    settings.size,
    count(Math.round(loads)),
    megabytes(load.bytesScanned),
    megabytes(load.bytesRewritten),
    `${Math.round(busySeconds)} s`,
    `${rounded(worstSeconds / 60)} min`,
    meetsDeadline ? 'yes' : 'no',
    rounded(credits),
  ];
}

export function formatCost(report: CostReport): string {
  const { settings, deadlineSeconds } = report;
  const set = [
    `auto-suspend ${settings.autoSuspendSeconds} s`,
    `${settings.files} files a batch`,
    `batches of at most ${count(settings.batchRecords)} records`,
    settings.clusterBy ? 'clusterBy' : 'no clusterBy',
    settings.keysRise ? 'keys rise with time' : 'keys are random',
  ];
  const known = Object.values(report.assumptions).map(({ value, unit, source }) => [count(value), unit, source]);
  return [
    costTable(report),
    '',
    `Within ${rounded(deadlineSeconds / 60)} minutes; ${set.join(', ')}.`,
    ...report.shapes.map(({ name, source }) => `Shape: ${name}, ${source}.`),
    '',
    'A model: nothing of it was measured on a real account. It takes for granted',
    table(known, 2),
  ].join('\n');
}
