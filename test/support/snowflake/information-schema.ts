import type { Catalogue, Column, Schema } from './catalogue.ts';
import { noSuchObject } from './errors.ts';
import { sqlName, sqlString } from './names.ts';
import type { SnowflakeType } from './types.ts';

type Cell = string | number | boolean | null;

interface Listing {
  /** Names, and DuckDB's types. */
  readonly columns: readonly (readonly [string, string])[];
  rows(database: string, schemas: ReadonlyMap<string, Schema>): readonly Cell[][];
}

const text = (name: string): readonly [string, string] => [name, 'VARCHAR'];
const integer = (name: string): readonly [string, string] => [name, 'DECIMAL(38,0)'];
const instant = (name: string): readonly [string, string] => [name, 'TIMESTAMPTZ'];

const TABLES: Listing = {
  columns: [
    ...['TABLE_CATALOG', 'TABLE_SCHEMA', 'TABLE_NAME', 'TABLE_TYPE', 'IS_TRANSIENT', 'CLUSTERING_KEY', 'COMMENT'].map(text),
    instant('CREATED'),
  ],
  rows: (database, schemas) =>
    [...schemas.values()].flatMap((schema) =>
      [...schema.relations.values()].map((relation) => {
        const isTable = relation.kind === 'TABLE';
        const clusterBy = isTable ? relation.clusterBy : null;
        return [
          database,
          schema.name,
          relation.name,
          isTable ? 'BASE TABLE' : 'VIEW',
          isTable ? (relation.isTransient || schema.isTransient ? 'YES' : 'NO') : null,
          clusterBy === null ? null : `LINEAR(${clusterBy})`,
          relation.comment,
          relation.createdAt,
        ];
      }),
    ),
};

const COLUMNS: Listing = {
  columns: [
    ...['TABLE_CATALOG', 'TABLE_SCHEMA', 'TABLE_NAME', 'COLUMN_NAME'].map(text),
    integer('ORDINAL_POSITION'),
    ...['IS_NULLABLE', 'DATA_TYPE'].map(text),
    ...['CHARACTER_MAXIMUM_LENGTH', 'NUMERIC_PRECISION', 'NUMERIC_SCALE', 'DATETIME_PRECISION'].map(integer),
    text('COMMENT'),
  ],
  rows: (database, schemas) =>
    [...schemas.values()].flatMap((schema) =>
      [...schema.relations.values()].flatMap((relation) =>
        relation.columns.map((column, index) => [database, schema.name, relation.name, ...columnCells(column, index)]),
      ),
    ),
};

const DATA_TYPES: Readonly<Record<string, string>> = { FIXED: 'NUMBER', REAL: 'FLOAT' };

function columnCells({ name, type, nullable, comment }: Column, index: number): Cell[] {
  const isFixed = type.name === 'FIXED';
  const dataType = DATA_TYPES[type.name] ?? type.name;
  return [
    name,
    index + 1,
    nullable ? 'YES' : 'NO',
    dataType,
    type.length ?? null,
    isFixed ? (type.precision ?? null) : null,
    isFixed ? (type.scale ?? null) : null,
    instantScale(type),
    comment,
  ];
}

const instantScale = (type: SnowflakeType): number | null => (type.name.startsWith('TIMESTAMP') ? (type.scale ?? null) : null);

const SCHEMATA: Listing = {
  columns: ['CATALOG_NAME', 'SCHEMA_NAME', 'IS_TRANSIENT', 'COMMENT'].map(text),
  rows: (database, schemas) =>
    [...schemas.values()].map((schema) => [database, schema.name, schema.isTransient ? 'YES' : 'NO', schema.comment]),
};

const VIEWS: Listing = {
  columns: ['TABLE_CATALOG', 'TABLE_SCHEMA', 'TABLE_NAME', 'VIEW_DEFINITION', 'COMMENT'].map(text),
  rows: (database, schemas) =>
    [...schemas.values()].flatMap((schema) =>
      [...schema.relations.values()].flatMap((relation) =>
        relation.kind === 'VIEW' ? [[database, schema.name, relation.name, relation.text, relation.comment]] : [],
      ),
    ),
};

const LISTINGS: Readonly<Record<string, Listing>> = { TABLES, COLUMNS, SCHEMATA, VIEWS };

export interface HistoryEntry {
  readonly sql: string;
  readonly session: string;
  readonly tag: string;
  readonly queryId: string;
  readonly at: number;
  readonly status: 'running' | 'succeeded' | 'failed';
  readonly code: string | null;
}

const HISTORY = [
  ...['QUERY_ID', 'QUERY_TEXT', 'SESSION_ID', 'QUERY_TAG', 'EXECUTION_STATUS', 'ERROR_CODE'].map(text),
  instant('START_TIME'),
];
const STATUS = { running: 'RUNNING', succeeded: 'SUCCESS', failed: 'FAILED_WITH_ERROR' } as const;

/** QUERY_HISTORY_BY_SESSION: the newest first. */
export function queryHistory(entries: readonly HistoryEntry[], session: string, limit: number): string {
  const own = entries.filter((entry) => entry.session === session).toReversed();
  return rowsSql(
    HISTORY,
    own.slice(0, limit).map(({ queryId, sql, tag, status, code, at }) => [queryId, sql, session, tag, STATUS[status], code, at]),
  );
}

/** A view of INFORMATION_SCHEMA, as it is at this moment, in brackets. */
export function informationSchema(catalogue: Catalogue, database: string, view: string): string {
  const listing = LISTINGS[view];
  const schemas = catalogue.databases.get(database);
  if (!listing || !schemas) throw noSuchObject('Object', `${database}.INFORMATION_SCHEMA.${view}`);
  return rowsSql(listing.columns, listing.rows(database, schemas));
}

/** Rows as a query in brackets: one JSON text, which DuckDB reads many times faster than as many literals. */
function rowsSql(columns: readonly (readonly [string, string])[], rows: readonly (readonly Cell[])[]): string {
  const items = columns.map(([name, type], index) => `${castSql(`R[${index + 1}]`, type)} AS ${sqlName(name)}`).join(', ');
  const texts = rows.map((cells) => cells.map((cell) => (cell === null ? null : String(cell))));
  return `(SELECT ${items} FROM (SELECT unnest(from_json(${sqlString(JSON.stringify(texts))}, '[["VARCHAR"]]')) AS R))`;
}

const castSql = (text: string, type: string): string =>
  type === 'TIMESTAMPTZ' ? `make_timestamptz(CAST(${text} AS BIGINT))` : `CAST(${text} AS ${type})`;
