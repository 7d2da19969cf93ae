/** What the cost model takes for granted. Each is printed with the result: `assumed` has not been measured on a real account. */

export interface Assumption {
  readonly value: number;
  readonly unit: string;
  readonly source: string;
}

const MB = 1_000_000;
const documented = (value: number, unit: string, where: string): Assumption => ({ value, unit, source: `documented: ${where}` });
const published = (value: number, unit: string, where: string): Assumption => ({ value, unit, source: `published: ${where}` });
const assumed = (value: number, unit: string, why: string): Assumption => ({ value, unit, source: `assumed: ${why}` });

/**
 * Snowflake's own test of loading (TPC-DS STORE_SALES, 4.7 TB of values in 23 columns, 1.3 TB inside, from Parquet by a 2X-Large, 32 times an
 * X-Small): 614 s with the vectorized scanner, 1,959 s without.
 */
const LOADING_TEST = 'Snowflake engineering blog, "Loading Terabytes Into Snowflake"';

export const ASSUMPTIONS = {
  creditsAnHour: documented(1, 'credits an hour of an X-Small; twice as many for each size up', 'Understanding compute cost'),
  leastBilled: documented(60, 's billed for each resume at least', 'Understanding compute cost'),
  partitionBytes: documented(16 * MB, 'bytes a micro-partition, compressed', 'Micro-partitions & data clustering'),
  freeServices: documented(0.1, "of the day's compute: cloud services that are not billed", 'Understanding compute cost'),
  copyRate: published(
    75 * MB,
    'bytes of records a second that COPY takes on an X-Small',
    `${LOADING_TEST}, 4.7 TB in 1,959 s on 32 nodes; a third of its vectorized figure, since ours are nested`,
  ),
  writeRate: published(
    66 * MB,
    'compressed bytes a second that are written to micro-partitions on an X-Small',
    `${LOADING_TEST}, 1.3 TB in 614 s on 32 nodes, Parquet parsed besides`,
  ),
  copyThreads: documented(8, 'files that an X-Small loads at once', 'Preparing your data files, eight threads a node'),
  scanRate: assumed(300 * MB, 'compressed bytes a second that a MERGE reads on an X-Small', 'a quarter of a 10 Gbit/s interface'),
  probeRate: assumed(20_000_000, 'rows a second that a MERGE joins on an X-Small', '2.5 million a thread'),
  statements: assumed(22, 'statements of a load', 'as the loader sends them; the number of strata adds to it'),
  statementSeconds: assumed(0.3, 's that a small statement takes, the warehouse being awake', 'compilation and a round trip'),
  mergeSeconds: assumed(2, 's that a MERGE or COPY takes besides its work', 'compilation, planning, commit'),
  fileSeconds: assumed(0.05, 's of overhead a file of COPY', 'opening, footer, bookkeeping'),
  idleAfterSuspendSeconds: assumed(
    15,
    's that a warehouse bills after its suspension is due',
    'suspension is checked about every half minute, so 15 come on top on average',
  ),
  servicesCreditsAnHour: assumed(4.4, 'credits an hour of cloud services', 'consumption table, as of 2025'),
  servicesSeconds: assumed(0.15, 's of cloud services a statement', 'compilation'),
  clusteringCreditsAnHour: assumed(2, 'credits a compute-hour of automatic clustering', 'consumption table, as of 2025'),
  clusteringRewrites: assumed(
    1,
    "times that a day's rows are rewritten by clustering or merging of small partitions",
    'rows come nearly in order of the cluster date',
  ),
  prunedByKey: assumed(1, 'of the partitions that the literal bounds leave are read', 'no pruning by the join itself is counted on'),
  readAheadSeconds: assumed(
    30,
    's that the warehouse is awake before a load',
    'ledger and watermark are read before a window is normalized',
  ),
  certifySeconds: assumed(
    60,
    's an hour of the day for certifying it',
    'money is summed over a range of version times; no more than a resume bills',
  ),
  processingSeconds: assumed(
    90,
    's from the end of a window to its load: fetching the last pages and normalizing',
    'what `make slo` shows at the peak, rounded up',
  ),
  safetySeconds: assumed(60, 's kept in hand before the deadline', 'a slow resume, a lock, a retry'),
} as const satisfies Record<string, Assumption>;

export type AssumptionName = keyof typeof ASSUMPTIONS;
export type Assumed = Readonly<Record<AssumptionName, number>>;

export const assumedValues = (): Assumed =>
  Object.fromEntries(Object.entries(ASSUMPTIONS).map(([name, { value }]) => [name, value])) as Assumed;
