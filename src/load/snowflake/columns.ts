import { type ColumnType, LINEAGE, OVERFLOW, type RecordSchema } from '../../schema/types.ts';
import { identifier } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { columnsOf as describedColumns, keyNames, versionNames } from '../curated.ts';
import { CLUSTER_DATE, columnSql, folded, textSql } from './names.ts';
import { snowflakeType } from './types.ts';

/** Columns that tables of one stream have, and what they mean. */

export interface Column {
  /** As Snowflake calls it. */
  readonly name: string;
  readonly type: string;
  /** Whether a row cannot be without it. */
  readonly needed: boolean;
  readonly comment: string;
}

const TIME = 'TIMESTAMP_LTZ(6)';
const NUMBER = 'NUMBER(38,0)';

const versionType = (index: number): string => (index === 0 ? TIME : NUMBER);

/** What readers are told of each column of the view, by the name of the field. */
export const commentsOf = (stream: Stream, schema: RecordSchema): ReadonlyMap<string, string> =>
  new Map(describedColumns(stream, schema).map(({ name, comment }) => [name, comment.replaceAll(OWN_TABLE, named)]));

/** `tidemark.ledger` of the DuckDB warehouse is TIDEMARK_LEDGER here. */
const OWN_TABLE = /tidemark\.(\w+)/g;
const named = (_: string, table: string): string => `TIDEMARK_${table.toUpperCase()}`;

/** Of `__ROWS`, without the columns of fields. */
export function fixedColumns(stream: Stream): readonly Column[] {
  const comments = commentsOf(stream, { version: 0, fields: [], overflow: [] });
  const column = (field: string, type: string, needed = false): Column => ({
    name: folded(field),
    type,
    needed,
    comment: comments.get(field) ?? '',
  });
  return [
    ...keyNames(stream).map((name) => column(name, 'VARCHAR', true)),
    ...versionNames(stream).map((name, index) => column(name, versionType(index), true)),
    column(OVERFLOW, 'VARIANT'),
    column(LINEAGE.page, 'VARCHAR'),
    column(LINEAGE.position, NUMBER),
    column(LINEAGE.contentHash, 'VARCHAR'),
    column(LINEAGE.batch, 'VARCHAR'),
    column(LINEAGE.loadedAt, TIME),
    { name: CLUSTER_DATE, type: 'DATE', needed: true, comment: clusterComment(stream) },
  ];
}

const clusterComment = ({ clusterBy }: Stream): string =>
  clusterBy
    ? `Date (UTC) of ${clusterBy}; the table is clustered by it`
    : "Date (UTC) of the version that brought the key's first row; it never moves, and the table is clustered by it";

export const columnDefinition = ({ name, type, needed, comment }: Column): string =>
  `${identifier(name)} ${type}${needed ? ' NOT NULL' : ''} COMMENT ${textSql(comment)}`;

/** Of a batch's file, in the order of the staging table: as the file calls it, and as what Snowflake takes it. */
export interface StagedColumn {
  readonly field: string;
  readonly type: string;
}

export function stagedColumns(stream: Stream, schema: RecordSchema): readonly StagedColumn[] {
  const staged = (field: string, type: string): StagedColumn => ({ field, type });
  return [
    ...keyNames(stream).map((name) => staged(name, 'VARCHAR')),
    ...versionNames(stream).map((name, index) => staged(name, versionType(index))),
    ...schema.fields.map(({ name, type }: { name: string; type: ColumnType }) => staged(name, snowflakeType(type))),
    staged(OVERFLOW, 'VARIANT'),
    staged(LINEAGE.page, 'VARCHAR'),
    staged(LINEAGE.position, NUMBER),
    staged(LINEAGE.contentHash, 'VARCHAR'),
    staged(LINEAGE.batch, 'VARCHAR'),
  ];
}

export const stagedSql = ({ field }: StagedColumn): string => columnSql(field);
