import { assert } from '../../errors.ts';
import { type ColumnType, LINEAGE, OVERFLOW, type RecordSchema } from '../../schema/types.ts';
import type { Stream } from '../../stream.ts';
import { keyNames, versionNames } from '../curated.ts';
import { CLUSTER_DATE, folded } from './names.ts';
import { snowflakeType, takes, widened } from './types.ts';

/** Which columns of `__ROWS` hold which field. A field whose type has widened past what its column takes has several. */

export interface PhysicalColumn {
  /** As Snowflake calls it: `AMOUNT`, `AMOUNT__2`. */
  readonly name: string;
  /** Of the values that it was written with. */
  readonly type: ColumnType;
}

export interface Layout {
  readonly schema: RecordSchema;
  /** By field, those that went to the overflow since among them; in each row at most one of a field's columns has a value. */
  readonly columns: Readonly<Record<string, readonly PhysicalColumn[]>>;
}

export const EMPTY: Layout = { schema: { version: 0, fields: [], overflow: [] }, columns: {} };

/** Columns that every `__ROWS` has. */
export const fixedNames = (stream: Stream): readonly string[] => [
  ...[...keyNames(stream), ...versionNames(stream)].map(folded),
  ...[OVERFLOW, ...Object.values(LINEAGE)].map(folded),
  CLUSTER_DATE,
];

/** The column that takes a field's values of that type; null where none does. */
export function columnFor(layout: Layout, field: string, type: ColumnType): PhysicalColumn | null {
  return columnsOfField(layout, field).find((column) => takes(column.type, type)) ?? null;
}

/** The newest first. */
export const columnsOfField = ({ columns }: Layout, field: string): readonly PhysicalColumn[] =>
  Object.hasOwn(columns, field) ? (columns[field] ?? []).toReversed() : [];

export const allColumns = ({ columns }: Layout): readonly (PhysicalColumn & { readonly field: string })[] =>
  Object.entries(columns).flatMap(([field, list]) => list.map((column) => ({ ...column, field })));

/** Fields whose columns are shown in the overflow: a twin by case has come, say. */
export const movedFields = ({ schema, columns }: Layout): readonly string[] =>
  Object.keys(columns)
    .filter((field) => schema.overflow.includes(field))
    .toSorted();

export interface Growth {
  readonly layout: Layout;
  /** Of those, the columns that are not in the table yet. */
  readonly added: readonly (PhysicalColumn & { readonly field: string })[];
}

/**
 * The layout that also takes rows of `from`, and shows them as `wider`.
 * @param present what the table has by now, with Snowflake's types: a loader that died may have left columns, which are empty.
 */
export function grown(
  stream: Stream,
  layout: Layout,
  from: RecordSchema,
  wider: RecordSchema,
  present: ReadonlyMap<string, string>,
): Growth {
  const columns: Record<string, readonly PhysicalColumn[]> = { ...layout.columns };
  const used = new Set([...fixedNames(stream), ...allColumns(layout).map(({ name }) => name)].map((name) => name.toUpperCase()));
  const added: (PhysicalColumn & { readonly field: string })[] = [];
  for (const { name: field, type } of from.fields) {
    const own = Object.hasOwn(columns, field) ? (columns[field] ?? []) : [];
    const index = own.findLastIndex((column) => takes(column.type, type));
    if (index >= 0) {
      columns[field] = own.with(index, { ...(own[index] as PhysicalColumn), type: widened((own[index] as PhysicalColumn).type, type) });
      continue;
    }
    const name = freeName(field, snowflakeType(type), used, present);
    used.add(name.toUpperCase());
    columns[field] = [...own, { name, type }];
    if (!present.has(name)) added.push({ field, name, type });
  }
  return { layout: { schema: wider, columns }, added };
}

/** Longest identifier of Snowflake. */
const NAME_LIMIT = 255;

/** The field's own name, then with a number; a column that is there and unused serves where its type is right. */
function freeName(field: string, type: string, used: ReadonlySet<string>, present: ReadonlyMap<string, string>): string {
  const taken = new Set([...present.keys()].map((name) => name.toUpperCase()));
  for (let count = 1; ; count++) {
    const ending = count === 1 ? '' : `__${count}`;
    const name = folded(field).slice(0, NAME_LIMIT - ending.length) + ending;
    if (used.has(name.toUpperCase())) continue;
    if (present.get(name) === type || !taken.has(name.toUpperCase())) return name;
  }
}

/** As TIDEMARK_STREAMS keeps it. */
export const layoutJson = ({ schema, columns }: Layout): string => JSON.stringify({ ...schema, columns });

export function layoutOf(json: string): Layout {
  const { columns, ...schema } = JSON.parse(json) as RecordSchema & Pick<Layout, 'columns'>;
  assert(typeof columns === 'object', 'a table of Snowflake without its columns');
  return { schema, columns };
}
