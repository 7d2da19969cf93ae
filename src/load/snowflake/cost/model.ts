import { type Assumed, assumedValues } from './assumptions.ts';
import { ofMinutes, type Shape, updatedRows } from './shape.ts';

/** What loading costs in Snowflake, from the shape of a batch. Pure; nothing here was measured on a real account (assumptions.ts). */

/** Times an X-Small, in which credits and work both count. */
export const SIZES = [
  ['XSMALL', 1],
  ['SMALL', 2],
  ['MEDIUM', 4],
  ['LARGE', 8],
] as const;
export type Size = (typeof SIZES)[number][0];

export interface Settings {
  readonly recordsADay: number;
  /** Time between two loads. */
  readonly everyMinutes: number;
  readonly size: Size;
  /** Seconds without work after which the warehouse sleeps; 0: the loader puts it to sleep itself. */
  readonly autoSuspendSeconds: number;
  /** Whether the table's cluster date follows from the record (`clusterBy`), so that a MERGE names the dates. */
  readonly clusterBy: boolean;
  /** Whether keys rise with time, so that their literal bounds leave out what is older than the oldest update. */
  readonly keysRise: boolean;
  /** Files of a batch: the normalizer writes one a thread (`workers.threads`). */
  readonly files: number;
  /** A window of more records is loaded as several batches (`workers.batchRecords`). */
  readonly batchRecords: number;
  /** Rows that the table holds already, in days of this volume. */
  readonly daysHeld: number;
}

/** Of one load. */
export interface LoadCost {
  readonly rows: number;
  readonly stagedFiles: number;
  readonly partitionsScanned: number;
  readonly partitionsRewritten: number;
  readonly bytesScanned: number;
  readonly bytesRewritten: number;
  readonly copySeconds: number;
  readonly mergeSeconds: number;
  readonly otherSeconds: number;
  readonly busySeconds: number;
}

/** What a stream brings: live batches, and what sweeps add, one in each of their `minutes`. */
export interface Workload {
  readonly live: Shape;
  readonly sweep: Shape | null;
}

export interface DayCost {
  readonly settings: Settings;
  readonly loads: number;
  readonly load: LoadCost;
  /** Of one sweep. */
  readonly sweep: LoadCost | null;
  /** Of one window's loads together. */
  readonly busySeconds: number;
  /** Whether a load ends before the next begins, with a third of the time to spare. */
  readonly keepsUp: boolean;
  /** From a record's showing to its COMMIT, at worst: what came right after a load began. */
  readonly worstSeconds: number;
  readonly warehouseCredits: number;
  readonly servicesCredits: number;
  readonly clusteringCredits: number;
  readonly credits: number;
}

/** Where a load takes longer than this of the time between two, it does not keep up. */
const MOST_BUSY = 2 / 3;
const DAY_MINUTES = 1440;
const DAY_HOURS = 24;
const DAY_SECONDS = 86_400;
/** Of the fresh stratum, which is two dates: the later one is half over on average. */
const FRESH_DAYS = 1.5;
const factorOf = (size: Size): number => SIZES.find(([name]) => name === size)?.[1] ?? 1;

export function dayCost({ live, sweep }: Workload, settings: Settings, assumed: Assumed = assumedValues()): DayCost {
  const windows = DAY_MINUTES / settings.everyMinutes;
  const batches = Math.ceil(settings.recordsADay / windows / settings.batchRecords);
  const load = loadCost(live, { ...settings, everyMinutes: settings.everyMinutes / batches }, assumed);
  const swept = sweep ? loadCost(sweep, { ...settings, everyMinutes: sweep.minutes }, assumed) : null;
  const busySeconds = batches * load.busySeconds;
  const sweeping = sweep && swept ? (DAY_MINUTES / sweep.minutes) * swept.busySeconds : 0;
  const certifying = DAY_HOURS * assumed.certifySeconds;
  const seconds = Math.min(windows * billedSeconds(busySeconds, settings, assumed) + sweeping + certifying, DAY_SECONDS);
  const warehouseCredits = (seconds * hourly(settings.size, assumed)) / 3600;
  const servicesCredits = Math.max(0, servicesUsed(windows * batches, assumed) - warehouseCredits * assumed.freeServices);
  const clusteringCredits = clustering(live, settings, assumed);
  return {
    settings,
    loads: windows * batches,
    load,
    sweep: swept,
    busySeconds,
    keepsUp: busySeconds <= settings.everyMinutes * 60 * MOST_BUSY,
    worstSeconds: settings.everyMinutes * 60 + assumed.processingSeconds + busySeconds,
    warehouseCredits,
    servicesCredits,
    clusteringCredits,
    credits: warehouseCredits + servicesCredits + clusteringCredits,
  };
}

const hourly = (size: Size, assumed: Assumed): number => factorOf(size) * assumed.creditsAnHour;

/** From the first question before a window's loads. A warehouse that would hardly have slept goes on; one that sleeps bills its idle seconds, and a minute at least. */
function billedSeconds(busySeconds: number, { everyMinutes, autoSuspendSeconds }: Settings, assumed: Assumed): number {
  const awake = assumed.readAheadSeconds + busySeconds + autoSuspendSeconds + assumed.idleAfterSuspendSeconds;
  return Math.min(Math.max(awake, assumed.leastBilled), Math.max(busySeconds, everyMinutes * 60));
}

const servicesUsed = (loads: number, { statements, servicesSeconds, servicesCreditsAnHour }: Assumed): number =>
  (loads * statements * servicesSeconds * servicesCreditsAnHour) / 3600;

function clustering(shape: Shape, settings: Settings, assumed: Assumed): number {
  const bytes = insertedADay(shape, settings) * shape.rowBytes * assumed.clusteringRewrites;
  return (bytes / assumed.writeRate / 3600) * assumed.clusteringCreditsAnHour;
}

export function loadCost(recorded: Shape, settings: Settings, assumed: Assumed = assumedValues()): LoadCost {
  const shape = ofMinutes(recorded, settings.everyMinutes);
  const scale = (settings.recordsADay * settings.everyMinutes) / DAY_MINUTES / shape.records;
  const [inserted, updated] = [shape.inserted * scale, updatedRows(shape) * scale];
  const rows = inserted + updated + shape.unchanged * scale;
  const factor = factorOf(settings.size);
  const stagedFiles = settings.files;
  const scanned = partitionsScanned(shape, settings, assumed);
  const rewritten = Math.min(partitionsRewritten(shape, settings, scale, assumed), partitionsHeld(shape, settings, assumed));
  const bytesScanned = scanned * assumed.partitionBytes * (shape.keyBytes / shape.rowBytes);
  const bytesRewritten = rewritten * assumed.partitionBytes;
  const rowsScanned = (scanned * assumed.partitionBytes) / shape.rowBytes;
  const copySeconds =
    assumed.mergeSeconds +
    stagedFiles * assumed.fileSeconds +
    (rows * shape.recordBytes) / (assumed.copyRate * copyFactor(stagedFiles, factor, assumed));
  const work =
    bytesScanned / assumed.scanRate +
    (rowsScanned + rows) / assumed.probeRate +
    bytesRewritten / assumed.scanRate +
    (bytesRewritten + inserted * shape.rowBytes) / assumed.writeRate;
  const mergeSeconds = assumed.mergeSeconds + work / factor;
  const otherSeconds = assumed.statements * assumed.statementSeconds;
  return {
    rows,
    stagedFiles,
    partitionsScanned: scanned,
    partitionsRewritten: rewritten,
    bytesScanned,
    bytesRewritten,
    copySeconds,
    mergeSeconds,
    otherSeconds,
    busySeconds: copySeconds + mergeSeconds + otherSeconds,
  };
}

/** A file is loaded by one thread: few files leave most of a warehouse idle. */
const copyFactor = (files: number, factor: number, { copyThreads }: Assumed): number =>
  Math.min(factor, Math.max(files / copyThreads, 1 / copyThreads));

function insertedADay(shape: Shape, { recordsADay }: Settings): number {
  return (recordsADay * shape.keys) / shape.records;
}

const partitionsADay = (shape: Shape, settings: Settings, { partitionBytes }: Assumed): number =>
  (insertedADay(shape, settings) * shape.rowBytes) / partitionBytes;

const partitionsHeld = (shape: Shape, settings: Settings, assumed: Assumed): number =>
  Math.max(1, partitionsADay(shape, settings, assumed) * settings.daysHeld);

/**
 * What literal bounds leave. With neither dates nor keys, that is the whole table. Dates bound the fresh stratum to today, of which half is there
 * on average, and yesterday, and the older ones to the days from their first to their last. Keys that rise bound each to the keys' own ages.
 */
function partitionsScanned(shape: Shape, settings: Settings, assumed: Assumed): number {
  const perDay = partitionsADay(shape, settings, assumed);
  const held = partitionsHeld(shape, settings, assumed);
  const ages = shape.updates.map(([slice]) => ((slice + 1) * shape.sliceMinutes) / DAY_MINUTES);
  return Math.max(1, Math.min(held, daysBounded(ages, settings, shape.sliceMinutes / DAY_MINUTES) * perDay * assumed.prunedByKey));
}

/** @param ages of the rows that are replaced, in days; of `slice` days each. */
function daysBounded(ages: readonly number[], { clusterBy, keysRise }: Settings, slice: number): number {
  const oldest = Math.max(0, ...ages);
  if (!clusterBy) return keysRise ? oldest : Number.POSITIVE_INFINITY;
  const older = ages.filter((age) => age > FRESH_DAYS);
  const fresh = keysRise ? Math.max(0, ...ages.filter((age) => age <= FRESH_DAYS)) : FRESH_DAYS;
  return older.length === 0 ? fresh : fresh + oldest - Math.min(...older) + (keysRise ? slice : 1);
}

/** A row that is replaced rewrites the partition that it lies in; several in one rewrite it once (n bins, k balls). */
function partitionsRewritten(shape: Shape, settings: Settings, scale: number, assumed: Assumed): number {
  const perSlice = (partitionsADay(shape, settings, assumed) * shape.sliceMinutes) / DAY_MINUTES;
  return shape.updates.reduce((sum, [, rows]) => sum + occupied(perSlice, rows * scale), 0);
}

/** Of `bins`, how many are hit by `balls` that fall anywhere; fewer than one bin is a part of one that others share. */
function occupied(bins: number, balls: number): number {
  if (bins <= 1) return Math.min(bins, balls);
  return bins * -Math.expm1(balls * Math.log1p(-1 / bins));
}

/** The longest time between loads that still meets a deadline, in whole minutes; null where none does. */
export function longestMinutes(
  workload: (minutes: number) => Workload,
  settings: Omit<Settings, 'everyMinutes'>,
  deadlineSeconds: number,
  assumed: Assumed = assumedValues(),
): number | null {
  for (let everyMinutes = Math.floor(deadlineSeconds / 60); everyMinutes >= 1; everyMinutes--) {
    const cost = dayCost(workload(everyMinutes), { ...settings, everyMinutes }, assumed);
    if (cost.keepsUp && cost.worstSeconds + assumed.safetySeconds <= deadlineSeconds) return everyMinutes;
  }
  return null;
}

/** Of all sizes that keep up, the cheapest: a larger one that works less long may cost no more. */
export function cheapestSize(work: Workload, settings: Omit<Settings, 'size'>, assumed: Assumed = assumedValues()): DayCost | null {
  const costs = SIZES.map(([size]) => dayCost(work, { ...settings, size }, assumed)).filter(({ keepsUp }) => keepsUp);
  return costs.toSorted((a, b) => a.credits - b.credits)[0] ?? null;
}
