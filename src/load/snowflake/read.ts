import type { Micros } from '../../clock.ts';
import { canonicalJson, parseExact, valueAt } from '../../json/exact.ts';
import { type ColumnType, LINEAGE, OVERFLOW } from '../../schema/types.ts';
import { identifier } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { keyNames, versionNames } from '../curated.ts';
import { FIND_LIMIT } from '../read.ts';
import { rowJson } from '../row-json.ts';
import type { CuratedIdentity, CuratedRow, LedgerEntry, MoneyTally, TableSummary } from '../warehouse.ts';
import { allColumns, columnsOfField, type Layout, movedFields, type PhysicalColumn } from './layout.ts';
import { columnSql, instantSql, type Place, rowsSql, textSql } from './names.ts';
import type { SnowflakeRow, SnowflakeSession } from './session.ts';
import * as sql from './statements.ts';
import { rows } from './tables.ts';
import { snowflakeType } from './types.ts';
import { overflowEntries, scalarJson, variantJson } from './values.ts';

/** What is read from Snowflake, into the words of warehouse.ts. */

export async function readLedger(session: SnowflakeSession, place: Place, stream: string): Promise<readonly LedgerEntry[]> {
  return (await rows(session, sql.readLedger(place, stream))).map(ledgerEntry);
}

function ledgerEntry(row: SnowflakeRow): LedgerEntry {
  return {
    batch: row['BATCH'] ?? '',
    origin: row['ORIGIN'] as LedgerEntry['origin'],
    windowKind: row['WINDOW_KIND'] as LedgerEntry['windowKind'],
    windowStart: numberOrNull(row['WINDOW_START']),
    windowEnd: numberOrNull(row['WINDOW_END']),
    rows: Number(row['ROW_COUNT']),
    inserted: Number(row['INSERTED']),
    updated: Number(row['UPDATED']),
    distinct: Number(row['DISTINCT_KEYS']),
    minTime: numberOrNull(row['MIN_TIME']),
    maxTime: numberOrNull(row['MAX_TIME']),
    loadedAt: Number(row['LOADED_AT']),
  };
}

const numberOrNull = (value: string | null | undefined): number | null => (value === null || value === undefined ? null : Number(value));

/** What curated rows are selected from, and how. */
export interface Source {
  readonly place: Place;
  readonly stream: Stream;
  readonly layout: Layout;
}

/** A curated row, and what its fields say as canonical JSON, in the order of the schema. */
export interface ValueRow {
  readonly row: Omit<CuratedRow, 'row'>;
  readonly versionText: readonly string[];
  readonly fields: readonly (string | null)[];
  readonly overflow: readonly (readonly [name: string, json: string])[];
}

export async function findRows(session: SnowflakeSession, source: Source, key: readonly (string | null)[]): Promise<readonly CuratedRow[]> {
  const asked = keyNames(source.stream).flatMap((name, index) => {
    const part = key[index] ?? null;
    return part === null ? [] : [{ condition: `${columnSql(name)} = ?`, part }];
  });
  const where = asked.length > 0 ? `WHERE ${asked.map(({ condition }) => condition).join(' AND ')}` : '';
  const found = await session.rows(
    `${contentsSql(source, where)} LIMIT ${FIND_LIMIT}`,
    asked.map(({ part }) => part),
  );
  return found.map((row) => curatedRow(source, valueRow(source, row)));
}

export async function* readContents(session: SnowflakeSession, source: Source): AsyncIterable<CuratedRow> {
  for await (const row of readRowsOf(session, source, '')) yield curatedRow(source, row);
}

export async function* readRowsOf(
  session: SnowflakeSession,
  source: Source,
  where: string,
  binds: readonly (string | null)[] = [],
): AsyncIterable<ValueRow> {
  for await (const row of session.stream(contentsSql(source, where), binds)) yield valueRow(source, row);
}

/** By number: `C0` and so on are the columns of fields, in the order of `allColumns`. */
function contentsSql({ place, stream, layout }: Source, where: string): string {
  const columns = allColumns(layout).map((column, index) => `${readSql(column)} AS "C${index}"`);
  return `SELECT ${[...identitySql(stream), ...columns, ...TAIL].join(', ')} FROM ${rowsSql(place, stream.name)} ${where} ORDER BY ${orderSql(stream)}`;
}

const orderSql = (stream: Stream): string => keyNames(stream).map(columnSql).join(', ');

const identitySql = (stream: Stream): string[] => [
  ...keyNames(stream).map((name, index) => `${columnSql(name)} AS "K${index}"`),
  ...versionNames(stream).map((name, index) => `${index === 0 ? microsSql(columnSql(name)) : columnSql(name)} AS "V${index}"`),
  `${columnSql(LINEAGE.contentHash)} AS "H"`,
];

const microsSql = (time: string): string => `DATE_PART(EPOCH_MICROSECOND, ${time})`;

/** A VARIANT as JSON text: the SDK would take its numbers through doubles. */
const readSql = ({ name, type }: PhysicalColumn): string =>
  snowflakeType(type) === 'VARIANT' ? `TO_JSON(${identifier(name)})` : identifier(name);

const TAIL = [
  `TO_JSON(${columnSql(OVERFLOW)}) AS "O"`,
  `${columnSql(LINEAGE.page)} AS "P"`,
  `${columnSql(LINEAGE.position)} AS "N"`,
  `${columnSql(LINEAGE.batch)} AS "B"`,
  `${microsSql(columnSql(LINEAGE.loadedAt))} AS "L"`,
];

function valueRow({ stream, layout }: Source, row: SnowflakeRow): ValueRow {
  const { key, version, contentHash } = identityOf(stream, row);
  const values = valuesOf(layout, row);
  return {
    row: {
      key,
      version: version.map(Number),
      contentHash,
      page: row['P'] ?? '',
      position: Number(row['N']),
      batch: row['B'] ?? '',
      loadedAt: Number(row['L']),
    },
    versionText: version,
    fields: layout.schema.fields.map(({ name }) => values.get(name) ?? null),
    overflow: overflowOf(layout, row['O'] ?? null, values),
  };
}

const curatedRow = ({ stream, layout }: Source, { row, ...parts }: ValueRow): CuratedRow => ({
  ...row,
  row: rowJson(stream, layout.schema, { ...row, ...parts }),
});

/** By field, from the one of its columns that has a value. */
function valuesOf(layout: Layout, row: SnowflakeRow): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [index, { field, type }] of allColumns(layout).entries()) {
    const json = scalarJson(type, row[`C${index}`] ?? null);
    if (json !== null) values.set(field, json);
  }
  return values;
}

/** In order of name, with fields that had a column of their own when the row was written. */
function overflowOf(layout: Layout, text: string | null, values: ReadonlyMap<string, string>): (readonly [string, string])[] {
  const entries = new Map(overflowEntries(text));
  for (const field of movedFields(layout)) {
    const json = values.get(field);
    if (json !== undefined && json !== 'null') entries.set(field, json);
  }
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

export async function* readRows(session: SnowflakeSession, { place, stream }: Omit<Source, 'layout'>): AsyncIterable<CuratedIdentity> {
  const statement = `SELECT ${identitySql(stream).join(', ')} FROM ${rowsSql(place, stream.name)} ORDER BY ${orderSql(stream)}`;
  for await (const row of session.stream(statement)) yield identityOf(stream, row);
}

const identityOf = (stream: Stream, row: SnowflakeRow): CuratedIdentity => ({
  key: stream.key.map((_, index) => row[`K${index}`] ?? ''),
  version: stream.version.map((_, index) => row[`V${index}`] ?? ''),
  contentHash: row['H'] ?? '',
});

export async function readSummary(session: SnowflakeSession, { place, stream }: Omit<Source, 'layout'>): Promise<TableSummary> {
  const keys = keyNames(stream).map(columnSql).join(', ');
  const time = columnSql(versionNames(stream)[0] ?? '');
  const [row = {}] =
    await session.rows(`SELECT COALESCE(SUM("N"), 0) AS "ROW_COUNT", COUNT(*) AS "DISTINCT_KEYS", ${microsSql('MAX("LATEST")')} AS "LATEST"
FROM (SELECT COUNT(*) AS "N", MAX(${time}) AS "LATEST" FROM ${rowsSql(place, stream.name)} GROUP BY ${keys})`);
  return { rows: Number(row['ROW_COUNT']), distinct: Number(row['DISTINCT_KEYS']), latest: numberOrNull(row['LATEST']) };
}

/** Rows of one amount and currency may come in several tallies, where a field has several columns. */
export async function* readTally(session: SnowflakeSession, source: Source, from: Micros, to: Micros): AsyncIterable<MoneyTally> {
  const { place, stream, layout } = source;
  const time = columnSql(versionNames(stream)[0] ?? '');
  const amount = stream.money ? placesOf(layout, stream.money.amount) : [];
  const currency = stream.money ? placesOf(layout, stream.money.currency) : [];
  const columns = [
    ...amount.map((spot, index) => `${spot.sql} AS "A${index}"`),
    ...currency.map((spot, index) => `${spot.sql} AS "U${index}"`),
    '0 AS "Z"',
  ];
  const names = [...amount.map((_, index) => `"A${index}"`), ...currency.map((_, index) => `"U${index}"`), '"Z"'].join(', ');
  const within = `${time} >= ${instantSql(from)} AND ${time} < ${instantSql(to)}`;
  const selected = `SELECT ${columns.join(', ')} FROM ${rowsSql(place, stream.name)} WHERE ${within}`;
  for await (const row of session.stream(`SELECT ${names}, COUNT(*) AS "N" FROM (${selected}) GROUP BY ${names}`)) {
    yield { amount: jsonAt(amount, 'A', row), currency: jsonAt(currency, 'U', row), rows: Number(row['N']) };
  }
}

/** A column, or a part of one, that may hold what a path of field names leads to. */
interface Spot {
  readonly sql: string;
  /** @param text as Snowflake gives it. @returns canonical JSON; null where there is nothing. */
  readonly json: (text: string | null) => string | null;
}

function placesOf(layout: Layout, [name = '', ...rest]: readonly string[]): readonly Spot[] {
  const own = columnsOfField(layout, name).flatMap((column) => placeIn(column, rest));
  return layout.schema.overflow.includes(name) ? [...own, overflowPlace(name, rest)] : own;
}

/** As deep as the types lead; what is left of the path is looked up in the value's JSON. */
function placeIn({ name, type }: PhysicalColumn, path: readonly string[]): readonly Spot[] {
  let at: ColumnType = type;
  let depth = 0;
  for (; depth < path.length && at.kind === 'struct'; depth++) {
    const member = at.members.find((candidate) => candidate.name === path[depth]);
    if (!member) return [];
    at = member.type;
  }
  if (depth < path.length && at.kind !== 'json') return [];
  const inside = path.slice(0, depth).map((step) => identifier(step));
  const rest = path.slice(depth);
  if (inside.length === 0) return [{ sql: readSql({ name, type }), json: (text) => jsonWithin(scalarJson(type, text), rest) }];
  const found = `GET_PATH(${identifier(name)}, ${textSql(inside.join('.'))})`;
  const leaf = at;
  return [{ sql: `TO_JSON(${found})`, json: (text) => jsonWithin(text === null ? null : variantText(leaf, text), rest) }];
}

const overflowPlace = (name: string, rest: readonly string[]): Spot => ({
  sql: `TO_JSON(${columnSql(OVERFLOW)})`,
  json: (text) => jsonWithin(overflowEntries(text).get(name) ?? null, rest),
});

const variantText = (type: ColumnType, json: string): string | null => variantJson(type, parseExact(json));

function jsonWithin(json: string | null, path: readonly string[]): string | null {
  if (json === null || json === 'null') return null;
  if (path.length === 0) return json;
  const found = valueAt(parseExact(json), path);
  return found === null ? null : canonicalJson(found);
}

function jsonAt(places: readonly Spot[], letter: string, row: SnowflakeRow): string | null {
  for (const [index, place] of places.entries()) {
    const json = place.json(row[`${letter}${index}`] ?? null);
    if (json !== null) return json;
  }
  return null;
}
