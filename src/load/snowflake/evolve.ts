import { type ColumnType, LINEAGE, OVERFLOW } from '../../schema/types.ts';
import { identifier } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { keyNames, versionNames } from '../curated.ts';
import { columnDefinition, commentsOf, fixedColumns } from './columns.ts';
import { columnsOfField, type Growth, type Layout, movedFields, type PhysicalColumn } from './layout.ts';
import { columnSql, folded, latestSql, type Place, rowsSql, textSql, viewSql } from './names.ts';
import { snowflakeType } from './types.ts';

/** How a stream's table and its views come to be, and grow: columns are added, none is ever rewritten. */

type Added = Growth['added'];

const added = (stream: Stream, layout: Layout, columns: Added): string[] => {
  const comments = commentsOf(stream, layout.schema);
  return columns.map(({ field, name, type }) =>
    columnDefinition({ name, type: snowflakeType(type), needed: false, comment: comments.get(field) ?? `Field ${field} of the record` }),
  );
};

/** @param policy clause at the end, or nothing. */
export function createRows(place: Place, stream: Stream, growth: Growth, policy: string): string {
  const columns = [...fixedColumns(stream).map(columnDefinition), ...added(stream, growth.layout, growth.added)];
  const about = `Rows of ${stream.name}, which the view of that name shows; kept by Tidemark, which alone writes them`;
  return `CREATE TABLE IF NOT EXISTS ${rowsSql(place, stream.name)} (
${columns.join(',\n')}
) CLUSTER BY ("_CLUSTER_DATE") COMMENT = ${textSql(about)}${policy}`;
}

/** @returns null where nothing is to be added. */
export function addColumns(place: Place, stream: Stream, growth: Growth): string | null {
  if (growth.added.length === 0) return null;
  return `ALTER TABLE ${rowsSql(place, stream.name)} ADD COLUMN ${added(stream, growth.layout, growth.added).join(', ')}`;
}

/** Columns as those of the DuckDB warehouse's table, in that order. Grants on the view stay. */
export function createView(place: Place, stream: Stream, layout: Layout): string {
  const shown = shownColumns(stream, layout);
  const about = `Latest accepted copy of each ${keyNames(stream).join(', ')}; kept by Tidemark, which alone writes it`;
  return viewStatement(viewSql(place, stream.name), shown, about, `FROM ${rowsSql(place, stream.name)}`);
}

/**
 * The latest state of each thing that `latestBy` names, or null where the stream has no such view or its columns are not there yet.
 * A row that does not name its thing stands for itself.
 */
export function createLatest(place: Place, stream: Stream, layout: Layout): string | null {
  const shown = shownColumns(stream, layout).map((column) => ({ ...column, sql: identifier(column.name) }));
  const names = new Set(shown.map(({ name }) => name));
  if (stream.latestBy.length === 0 || !stream.latestBy.every((name) => names.has(folded(name)))) return null;
  const by = stream.latestBy.map(columnSql);
  const order = [...versionNames(stream), LINEAGE.contentHash].map((name) => `${columnSql(name)} DESC`);
  const from = `FROM ${viewSql(place, stream.name)}
QUALIFY ${by.map((name) => `${name} IS NULL`).join(' OR ')} OR ROW_NUMBER() OVER (PARTITION BY ${by.join(', ')} ORDER BY ${order.join(', ')}) = 1`;
  const about = `Latest row for each ${stream.latestBy.join(', ')}, by ${versionNames(stream).join(', ')}`;
  return viewStatement(latestSql(place, stream.name), shown, about, from);
}

export const dropLatest = (place: Place, stream: Stream): string => `DROP VIEW IF EXISTS ${latestSql(place, stream.name)}`;

interface Shown {
  readonly name: string;
  readonly sql: string;
  readonly comment: string;
}

function viewStatement(view: string, shown: readonly Shown[], about: string, from: string): string {
  const columns = shown.map(({ name, comment }) => `${identifier(name)} COMMENT ${textSql(comment)}`);
  return `CREATE OR REPLACE VIEW ${view} (${columns.join(', ')}) COPY GRANTS COMMENT = ${textSql(about)} AS
SELECT ${shown.map(({ name, sql }) => (sql === identifier(name) ? sql : `${sql} AS ${identifier(name)}`)).join(', ')}
${from}`;
}

function shownColumns(stream: Stream, layout: Layout): readonly Shown[] {
  const comments = commentsOf(stream, layout.schema);
  const shown = (field: string, sql: string): Shown => ({ name: folded(field), sql, comment: comments.get(field) ?? '' });
  return [
    ...[...keyNames(stream), ...versionNames(stream)].map((name) => shown(name, columnSql(name))),
    ...layout.schema.fields.map(({ name, type }) => shown(name, fieldSql(columnsOfField(layout, name), type))),
    shown(OVERFLOW, overflowSql(layout)),
    ...Object.values(LINEAGE).map((name) => shown(name, columnSql(name))),
  ];
}

/** Of a field's columns the one that has a value. */
function fieldSql(columns: readonly PhysicalColumn[], type: ColumnType): string {
  const values = columns.map((column) => shownAs(identifier(column.name), column.type, type));
  if (values.length === 0) return `NULL::${snowflakeType(type)}`;
  return values.length === 1 ? (values[0] ?? '') : `COALESCE(${values.join(', ')})`;
}

/** A value that was written as `from`, as readers see it: equal to what the wider type says of it. */
function shownAs(column: string, from: ColumnType, to: ColumnType): string {
  if (to.kind === 'json') return jsonText(column, from);
  if (to.kind === 'number-text') return from.kind === 'number-text' ? column : digits(column, from);
  return snowflakeType(from) === snowflakeType(to) ? column : `${column}::${snowflakeType(to)}`;
}

function jsonText(column: string, from: ColumnType): string {
  if (from.kind === 'json' || from.kind === 'number-text' || from.kind === 'unknown') return column;
  if (from.kind === 'integer' || from.kind === 'decimal') return digits(column, from);
  if (from.kind === 'list' || from.kind === 'struct') return `TO_JSON(${column})`;
  return from.kind === 'boolean' ? `TO_VARCHAR(${column})` : `TO_JSON(TO_VARIANT(${column}))`;
}

const digits = (column: string, from: ColumnType): string =>
  from.kind === 'decimal' && from.scale > 0 ? `RTRIM(RTRIM(TO_VARCHAR(${column}), '0'), '.')` : `TO_VARCHAR(${column})`;

/** With the values of fields that once had a column of their own. */
function overflowSql(layout: Layout): string {
  const own = columnSql(OVERFLOW);
  return movedFields(layout).reduce((held, field) => {
    const value = fieldSql(columnsOfField(layout, field), { kind: 'json' });
    return `CASE WHEN ${value} IS NULL THEN ${held} ELSE OBJECT_INSERT(COALESCE(${held}, OBJECT_CONSTRUCT())::OBJECT, ${textSql(field)}, ${value}, TRUE)::VARIANT END`;
  }, own);
}
