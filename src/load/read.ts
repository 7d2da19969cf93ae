import type { Engine, EngineRow, EngineValue } from '../engine.ts';
import { jsonSql } from '../schema/json-sql.ts';
import { LINEAGE, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import { identifier, literal } from '../sql.ts';
import type { Stream } from '../stream.ts';
import { keyNames, tableSql, versionNames } from './curated.ts';
import { jsonAt, NOWHERE, type Place, placeOf } from './place.ts';
import { rowJson } from './row-json.ts';
import * as sql from './statements.ts';
import { numberOf, numberOrNull, textOf } from './values.ts';
import type { CuratedIdentity, CuratedRow, LedgerEntry, MoneyTally, TableSummary } from './warehouse.ts';

/** What is read from the warehouse, row by row as DuckDB gives it, into the words of warehouse.ts. */

/** Rows that `find` gives at most. */
export const FIND_LIMIT = 1000;

export async function readLedger(engine: Engine, stream: string): Promise<readonly LedgerEntry[]> {
  return (await engine.rows(sql.readLedger(stream))).map(ledgerEntry);
}

function ledgerEntry(row: EngineRow): LedgerEntry {
  return {
    batch: textOf(row['batch']),
    origin: textOf(row['origin']) as LedgerEntry['origin'],
    windowKind: row['window_kind'] as LedgerEntry['windowKind'],
    windowStart: numberOrNull(row['window_start']),
    windowEnd: numberOrNull(row['window_end']),
    rows: numberOf(row['row_count']),
    inserted: numberOf(row['inserted']),
    updated: numberOf(row['updated']),
    distinct: numberOf(row['distinct_keys']),
    minTime: numberOrNull(row['min_time']),
    maxTime: numberOrNull(row['max_time']),
    loadedAt: numberOf(row['loaded_at']),
  };
}

export async function findRows(
  engine: Engine,
  stream: Stream,
  schema: RecordSchema,
  key: readonly (string | null)[],
): Promise<readonly CuratedRow[]> {
  const conditions = keyNames(stream).flatMap((name, index) => {
    const part = key[index] ?? null;
    return part === null ? [] : [`${identifier(name)} = ${literal(part)}`];
  });
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const rows = await engine.rows(`${contentsSql(stream, schema, where)} LIMIT ${FIND_LIMIT}`);
  return rows.map((row) => curatedRow(stream, schema, row));
}

export async function* readContents(engine: Engine, stream: Stream, schema: RecordSchema): AsyncIterable<CuratedRow> {
  for await (const rows of engine.stream(contentsSql(stream, schema, ''))) for (const row of rows) yield curatedRow(stream, schema, row);
}

function contentsSql(stream: Stream, schema: RecordSchema, where: string): string {
  const fields = schema.fields.map(({ name, type }, index) => `${jsonSql(identifier(name), type)} AS f${index}`);
  const columns = [...numbered('k', keyNames(stream)), ...numbered('v', versionNames(stream)), ...fields, ...ROW_TAIL];
  const order = keyNames(stream).map(identifier).join(', ');
  return `SELECT ${columns.join(', ')} FROM ${tableSql(stream)} ${where} ORDER BY ${order}`;
}

const numbered = (letter: string, names: readonly string[]): string[] =>
  names.map((name, index) => `${identifier(name)} AS ${letter}${index}`);
const ROW_TAIL = [OVERFLOW, ...Object.values(LINEAGE)].map(identifier);

function curatedRow(stream: Stream, schema: RecordSchema, row: EngineRow): CuratedRow {
  const versions = stream.version.map((_, index) => row[`v${index}`]);
  const curated = {
    key: stream.key.map((_, index) => textOf(row[`k${index}`])),
    version: versions.map(numberOf),
    contentHash: textOf(row[LINEAGE.contentHash]),
    page: textOf(row[LINEAGE.page]),
    position: numberOf(row[LINEAGE.position]),
    batch: textOf(row[LINEAGE.batch]),
    loadedAt: numberOf(row[LINEAGE.loadedAt]),
  };
  const fields = schema.fields.map((_, index) => row[`f${index}`] as string | null);
  const parts = { ...curated, versionText: versions.map(textOf), fields, overflow: overflowOf(row[OVERFLOW]) };
  return { ...curated, row: rowJson(stream, schema, parts) };
}

const overflowOf = (value: EngineValue | undefined): (readonly [name: string, json: string])[] =>
  Array.isArray(value) ? value.map((entry: { key: string; value: string }) => [entry.key, entry.value] as const) : [];

export async function* readRows(engine: Engine, stream: Stream): AsyncIterable<CuratedIdentity> {
  const versions = versionNames(stream).map(
    (name, index) => `${index === 0 ? `epoch_us(${identifier(name)})` : identifier(name)} AS v${index}`,
  );
  const columns = [...numbered('k', keyNames(stream)), ...versions, identifier(LINEAGE.contentHash)];
  const order = keyNames(stream).map(identifier);
  for await (const rows of engine.stream(`SELECT ${columns.join(', ')} FROM ${tableSql(stream)} ORDER BY ${order.join(', ')}`)) {
    for (const row of rows) yield identity(stream, row);
  }
}

const identity = (stream: Stream, row: EngineRow): CuratedIdentity => ({
  key: stream.key.map((_, index) => textOf(row[`k${index}`])),
  version: stream.version.map((_, index) => textOf(row[`v${index}`])),
  contentHash: textOf(row[LINEAGE.contentHash]),
});

export async function readSummary(engine: Engine, stream: Stream): Promise<TableSummary> {
  const keys = keyNames(stream).map(identifier).join(', ');
  const time = identifier(versionNames(stream)[0] ?? '');
  const [row = {}] = await engine.rows(`
SELECT coalesce(sum(n), 0)::BIGINT AS row_count, count(*) AS distinct_keys, max(latest) AS latest
FROM (SELECT count(*) AS n, max(${time}) AS latest FROM ${tableSql(stream)} GROUP BY ${keys})`);
  return { rows: numberOf(row['row_count']), distinct: numberOf(row['distinct_keys']), latest: numberOrNull(row['latest']) };
}

export async function* readTally(
  engine: Engine,
  stream: Stream,
  schema: RecordSchema,
  from: number,
  to: number,
): AsyncIterable<MoneyTally> {
  const time = `epoch_us(${identifier(versionNames(stream)[0] ?? '')})`;
  const place = (part: 'amount' | 'currency'): Place => (stream.money ? placeOf(schema, stream.money[part]) : NOWHERE);
  const [amount, currency] = [place('amount'), place('currency')];
  const rows = `SELECT ${amount.sql} AS amount, ${currency.sql} AS currency FROM ${tableSql(stream)} WHERE ${time} >= ${from} AND ${time} < ${to}`;
  for await (const block of engine.stream(`SELECT amount, currency, count(*) AS n FROM (${rows}) GROUP BY amount, currency`)) {
    for (const row of block)
      yield { amount: jsonAt(row['amount'], amount), currency: jsonAt(row['currency'], currency), rows: numberOf(row['n']) };
  }
}
