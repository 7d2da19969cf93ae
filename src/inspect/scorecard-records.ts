import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineRow } from '../engine.ts';
import { numberOf, textOf } from '../load/values.ts';
import type { Batch } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { LINEAGE } from '../schema/types.ts';
import { identifier, literalList } from '../sql.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import { DAY, formatInstant, SECOND } from '../time.ts';
import type { LatenessFigures, ScorecardExample } from './scorecard-report.ts';
import { type ScoredWindow, scoredPages } from './scorecard-windows.ts';
import { bringFile, type Scratch } from './scratch.ts';
import { writeLines } from './verify-batches.ts';

/** Sightings that are on this machine at once. */
const FILES = 16;
const EXAMPLES = 5;

export interface RecordFigures {
  /** By day, in days since the epoch. */
  readonly lateness: ReadonlyMap<number, LatenessFigures>;
  /** Over all days. */
  readonly whole: LatenessFigures;
  readonly repeated: ReadonlyMap<number, number>;
  readonly silent: ReadonlyMap<number, number>;
  readonly silentExamples: readonly ScorecardExample[];
  readonly tooLateExamples: readonly ScorecardExample[];
  readonly unreadable: readonly string[];
}

/** What sightings and receipts say of the records that landed in the range. DuckDB does it in narrow rows, and spills what does not fit. */
export async function recordFigures(
  store: ObjectStore,
  stream: Stream,
  windows: readonly ScoredWindow[],
  batches: readonly Batch[],
  range: TimeRange,
  scratch: Scratch,
): Promise<RecordFigures> {
  const { engine, folder } = scratch;
  const pages = join(folder, 'pages.ndjson');
  try {
    await writeLines(pages, scoredPages(store, windows));
    await engine.run(pagesSql(pages));
    const unreadable = await bringSightings(store, stream, batches, scratch);
    await engine.run(firstSql(stream, range));
    await engine.run(contentsSql(stream));
    const whole = (await engine.rows(`SELECT ${FIGURES} FROM first_seen`)).map(latenessOf)[0];
    return {
      lateness: byDay(await engine.rows(`SELECT day, ${FIGURES} FROM first_seen GROUP BY day`), latenessOf),
      whole: whole ?? NO_LATENESS,
      repeated: byDay(await engine.rows(repeatedSql(stream, range)), countOf),
      silent: byDay(await engine.rows(`SELECT day, count(*) AS n FROM silent WHERE ${within('landed', range)} GROUP BY day`), countOf),
      silentExamples: await examples(stream, scratch, `silent WHERE ${within('landed', range)}`),
      tooLateExamples: await examples(stream, scratch, 'first_seen WHERE too_late'),
      unreadable,
    };
  } finally {
    await rm(pages, { force: true });
  }
}

export const NO_LATENESS: LatenessFigures = { records: 0, late: 0, tooLate: 0, p50: null, p95: null, p99: null, most: null };

const identity = (stream: Stream): string[] => [...stream.key.map((_, at) => `k${at}`), ...stream.version.map((_, at) => `v${at}`)];
const dayOf = (column: string): string => `CAST(floor(${column} / ${DAY}) AS BIGINT)`;
const within = (column: string, { from, to }: TimeRange): string => `${column} >= ${from} AND ${column} < ${to}`;

function pagesSql(path: string): string {
  const columns = "{page: 'VARCHAR', win: 'BIGINT', slot: 'BIGINT', kind: 'VARCHAR', landed: 'BIGINT', asked: 'BIGINT'}";
  return `CREATE OR REPLACE TABLE pages AS
SELECT DISTINCT ON (page) page, win, slot, kind, landed, asked
FROM read_json('${path.replaceAll("'", "''")}', format = 'newline_delimited', columns = ${columns}) ORDER BY page, landed`;
}

/** The table `seen`: each observation once, however many batches hold it. @returns files that could not be read. */
async function bringSightings(store: ObjectStore, stream: Stream, batches: readonly Batch[], scratch: Scratch): Promise<string[]> {
  const { engine, folder } = scratch;
  const types = [...stream.key.map((_, at) => `k${at} VARCHAR`), ...stream.version.map((_, at) => `v${at} BIGINT`)];
  await engine.run(`CREATE OR REPLACE TABLE sighted (${types.join(', ')}, h VARCHAR, page VARCHAR, position BIGINT)`);
  const files = batches.flatMap((batch) => batch.sightings);
  const unreadable: string[] = [];
  for (let from = 0; from < files.length; from += FILES) {
    const paths: string[] = [];
    for (const [index, file] of files.slice(from, from + FILES).entries()) {
      const path = join(folder, `scorecard-${index}.parquet`);
      const problem = await bringFile(store, file, path);
      if (problem === null) paths.push(path);
      else unreadable.push(`${file.key}: ${problem}`);
    }
    if (paths.length > 0) await engine.run(`INSERT INTO sighted ${sightingsSql(stream, paths)}`);
    for (let index = 0; index < FILES; index++) await rm(join(folder, `scorecard-${index}.parquet`), { force: true });
  }
  // What is on no page that was read landed before them.
  await engine.run(`CREATE OR REPLACE TABLE seen AS
SELECT s.*, p.win, p.slot, p.kind, coalesce(p.landed, 0) AS landed, p.asked
FROM (SELECT DISTINCT * FROM sighted) s LEFT JOIN pages p USING (page); DROP TABLE sighted`);
  return unreadable;
}

const sightingsSql = (stream: Stream, paths: readonly string[]): string =>
  `SELECT ${[
    ...stream.key.map(({ name }, at) => `CAST(${identifier(name)} AS VARCHAR) AS k${at}`),
    ...stream.version.map(({ name }, at) => `${at === 0 ? `epoch_us(${identifier(name)})` : identifier(name)} AS v${at}`),
    `${LINEAGE.contentHash} AS h, ${LINEAGE.page} AS page, ${LINEAGE.position} AS position`,
  ].join(', ')} FROM read_parquet(${literalList(paths)})`;

/** Each version where it was seen first, unless that was in the first poll or in a backfill, where nobody knows whether it was late. */
const firstSql = (stream: Stream, range: TimeRange): string => `CREATE OR REPLACE TABLE first_seen AS
SELECT *, ${dayOf('landed')} AS day, ${tooLate(stream)} AS too_late FROM (
  SELECT * FROM seen QUALIFY row_number() OVER (PARTITION BY ${identity(stream).join(', ')} ORDER BY landed, page, position) = 1)
WHERE ${within('landed', range)} AND (asked IS NOT NULL OR kind = 'push')`;

/** Certain: it was not there when it was asked for, or it was only pushed, later than the bound. */
const tooLate = ({ poll }: Stream): string => `coalesce(asked, landed) - v0 > ${poll.lateness}`;

const quantile = (share: number): string => `quantile_disc(greatest(landed - v0, 0), ${share})`;
const FIGURES = `count(*) AS n, count(*) FILTER (v0 < asked) AS late, count(*) FILTER (too_late) AS too_late,
${quantile(0.5)} AS p50, ${quantile(0.95)} AS p95, ${quantile(0.99)} AS p99, max(greatest(landed - v0, 0)) AS most`;

/** Each content of a version but the first, where it was seen first. */
const contentsSql = (stream: Stream): string => `CREATE OR REPLACE TABLE silent AS
SELECT *, ${dayOf('landed')} AS day FROM (
  SELECT * FROM seen QUALIFY row_number() OVER (PARTITION BY ${identity(stream).join(', ')}, h ORDER BY landed, page, position) = 1)
QUALIFY row_number() OVER (PARTITION BY ${identity(stream).join(', ')} ORDER BY landed, page, position) > 1`;

/** By window. Of several answers for one slot, which is our own asking again, the one counts that has the record most often. */
const repeatedSql = (stream: Stream, range: TimeRange): string => {
  const record = `${identity(stream).join(', ')}, h`;
  return `SELECT ${dayOf('landed')} AS day, CAST(sum(times - 1) AS BIGINT) AS n FROM (
  SELECT win, ${record}, sum(times) AS times, min(landed) AS landed FROM (
    SELECT win, slot, ${record}, max(times) AS times, min(landed) AS landed FROM (
      SELECT win, slot, page, ${record}, count(*) AS times, min(landed) AS landed FROM seen WHERE ${within('landed', range)} AND kind <> 'push'
      GROUP BY ALL) GROUP BY ALL) GROUP BY ALL) GROUP BY 1`;
};

const byDay = <T>(rows: readonly EngineRow[], read: (row: EngineRow) => T): Map<number, T> =>
  new Map(rows.map((row) => [numberOf(row['day']), read(row)]));

const countOf = (row: EngineRow): number => numberOf(row['n']);
const secondsOf = (value: EngineRow[string] | undefined): number | null => (value == null ? null : Math.round(numberOf(value) / SECOND));

const latenessOf = (row: EngineRow): LatenessFigures => ({
  records: countOf(row),
  late: numberOf(row['late']),
  tooLate: numberOf(row['too_late']),
  p50: secondsOf(row['p50']),
  p95: secondsOf(row['p95']),
  p99: secondsOf(row['p99']),
  most: secondsOf(row['most']),
});

async function examples(stream: Stream, { engine }: Scratch, what: string): Promise<ScorecardExample[]> {
  const columns = identity(stream).map((name) => `CAST(${name} AS VARCHAR) AS ${name}`);
  const rows = await engine.rows(
    `SELECT ${columns.join(', ')}, landed, page FROM ${what} ORDER BY landed, page, position LIMIT ${EXAMPLES}`,
  );
  return rows.map((row) => ({
    key: stream.key.map((_, at) => textOf(row[`k${at}`])),
    version: stream.version.map((_, at) => (at === 0 ? formatInstant(Number(textOf(row['v0']))) : textOf(row[`v${at}`]))),
    landedAt: formatInstant(numberOf(row['landed'])),
    page: textOf(row['page']),
  }));
}
