import { Column, type ColumnKind, type Depth } from '../parquet/column.ts';
import { type NamedField, type ParquetSchema, parquetSchema } from '../parquet/schema.ts';
import { type Input, inputName } from '../schema/transform.ts';
import { DERIVED, LINEAGE, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import type { Stream } from '../stream.ts';
import { KIND, parquetField, RecordField, type RecordFields, within } from './record-field.ts';

/** What decides the columns of a batch's rows, or of its sightings. */
export interface TableLayout {
  readonly key: Stream['key'];
  readonly version: Stream['version'];
  /** Null for sightings, which have key, version and lineage alone. */
  readonly schema: RecordSchema | null;
  /** What the stream's transform reads and columns cannot give it: texts in the struct of derived columns, which it then makes. */
  readonly inputs: readonly Input[];
}

const TOP: Depth = { definition: 0, repetition: 0 };
const COLUMN = within(TOP);
const MEMBER = within(COLUMN);
const MAP_NAME: Depth = { definition: 2, repetition: 1 };
const MAP_VALUE: Depth = { definition: 3, repetition: 1 };

/** The file's schema alone. */
export function parquetOf({ key, version, schema, inputs }: TableLayout): ParquetSchema {
  const text = (name: string): NamedField => ({ name, of: { kind: 'text' } });
  const [time, ...integers] = version;
  return parquetSchema([
    ...key.map(({ name }) => text(name)),
    { name: time.name, of: { kind: 'instant' } },
    ...integers.map(({ name }): NamedField => ({ name, of: { kind: 'long' } })),
    ...ownFields(schema).map(({ name, type }) => parquetField(name, type)),
    ...(schema ? [{ name: OVERFLOW, of: { kind: 'map' as const } }] : []),
    ...(inputs.length > 0
      ? [{ name: DERIVED, of: { kind: 'struct' as const, members: inputs.map((path) => text(inputName(path))) } }]
      : []),
    text(LINEAGE.page),
    { name: LINEAGE.position, of: { kind: 'int' } },
    text(LINEAGE.contentHash),
    ...(schema ? [text(LINEAGE.batch)] : []),
  ]);
}

const ownFields = (schema: RecordSchema | null): RecordSchema['fields'] => schema?.fields.filter(({ name }) => name !== DERIVED) ?? [];

/** A column that has one text in all rows of a page or of the batch. */
export interface ConstantColumn {
  readonly column: Column;
  readonly text: string;
}

/** The columns of a layout, in the order of the file's. */
export interface LaidOut {
  readonly root: RecordField;
  /** Of the version's time. */
  readonly time: Column;
  readonly columns: readonly Column[];
  /** The page's key is the last. */
  readonly constants: readonly ConstantColumn[];
  /** Null where there is none: of sightings. */
  readonly overflow: { readonly names: Column; readonly values: Column } | null;
  /** Of these, what a record has must be looked up in it. */
  readonly inputs: readonly { readonly path: Input; readonly column: Column }[];
  readonly position: Column;
  readonly contentHash: Column;
}

export function layOut(fields: RecordFields, { key, version, schema, inputs }: TableLayout, batch: string): LaidOut {
  const make = (kind: ColumnKind, depth: Depth = COLUMN): Column => new Column(fields.kernel, kind, depth);
  const keys = key.map(({ name, constant }) => ({ name, constant, column: make('text') }));
  const time = make('long');
  const versions = version.map(({ name }, at) =>
    at === 0 ? fields.leaf(name, KIND.time, COLUMN, time) : fields.leaf(name, KIND.version, COLUMN, make('long')),
  );
  const own = ownFields(schema).map(({ name, type }) => fields.of(name, type, TOP));
  const overflow = schema && { names: make('text', MAP_NAME), values: make('text', MAP_VALUE) };
  const written = inputs.map((path) => ({ path, column: make('text', MEMBER) }));
  const page = make('text');
  const position = make('int');
  const contentHash = make('text');
  const ofBatch = schema && make('text');
  for (const field of versions) {
    const asWritten = written.find(({ path }) => path.length === 1 && path[0] === field.name);
    if (asWritten) field.beside(fields, fields.leaf(field.name, KIND.scalar, MEMBER, asWritten.column));
  }
  const members = [
    ...keys.flatMap(({ name, constant, column }) => (constant === null ? [fields.leaf(name, KIND.scalar, COLUMN, column)] : [])),
    ...versions,
    ...own,
    ...(schema?.overflow ?? []).map((name) => new RecordField(fields, name, KIND.overflow, TOP)),
  ];
  const constants = keys.flatMap(({ constant, column }) => (constant === null ? [] : [{ column, text: constant }]));
  return {
    time,
    root: new RecordField(fields, '', KIND.struct, TOP, { members }),
    columns: [
      ...keys.map(({ column }) => column),
      ...[...versions, ...own].flatMap(({ leaves }) => leaves),
      ...(overflow ? [overflow.names, overflow.values] : []),
      ...written.map(({ column }) => column),
      page,
      position,
      contentHash,
      ...(ofBatch ? [ofBatch] : []),
    ],
    constants: [...constants, ...(ofBatch ? [{ column: ofBatch, text: batch }] : []), { column: page, text: '' }],
    overflow,
    inputs: written.filter(({ path }) => !versions.some(({ name }) => name === path[0])),
    position,
    contentHash,
  };
}
