import type { Micros } from '../clock.ts';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import { type Contract, isBinding, knownContract } from '../schema/contract.ts';
import { diffSchemas, type SchemaChange } from '../schema/diff.ts';
import { fieldChanges, fieldTree, foldFields, type KnownField } from '../schema/known-fields.ts';
import { emptyShape, mergeShape, type ShapeJson, shapeFromJson, shapeToJson } from '../schema/shape.ts';
import type { RecordSchema } from '../schema/types.ts';
import { type FixedColumns, schemaOf } from '../schema/union.ts';
import { createJson, getJson, replaceJson } from '../store/json.ts';
import { schemaKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { ContractTerm } from '../stream.ts';
import type { Reading } from './definition.ts';

/**
 * `state/<stream>/schema.json`: the union of the shapes of everything accepted so far, and how the columns came to be. The shape is what
 * is kept, since types alone would have forgotten digits, and the union would depend on the order.
 */
export interface SchemaDocument {
  readonly format: 1;
  readonly stream: string;
  readonly schema: RecordSchema;
  readonly shape: ShapeJson;
  readonly history: readonly SchemaVersion[];
  /** How records have been read, by version of the transform; absent where they were never read but as they are. */
  readonly readings?: readonly Reading[];
}

export interface SchemaVersion {
  readonly version: number;
  readonly at: Micros;
  /** The page that brought the change. */
  readonly page: string;
  readonly changes: readonly SchemaChange[];
  /** The fields that came with it, for contracts that name the version. Absent where it was written before those. */
  readonly known?: readonly KnownField[];
}

export interface ShapedPage {
  readonly key: string;
  readonly shape: ShapeJson;
}

const NOTHING: RecordSchema = { version: 0, fields: [], overflow: [] };

/** Other normalizers that may get in between, each at most a few times. */
const ATTEMPTS = 50;

export async function readSchema(store: ObjectStore, stream: string): Promise<SchemaDocument | null> {
  return (await getJson<SchemaDocument>(store, schemaKey(stream)))?.value ?? null;
}

/** What of a stream's contract is known by now. @returns null where it keeps nothing out. @throws CONFIG for a version that is not there. */
export async function readContract(
  store: ObjectStore,
  stream: string,
  terms: readonly ContractTerm[],
  fixed: readonly string[],
): Promise<Contract | null> {
  if (!isBinding(terms)) return null;
  return knownContract(terms, (await readSchema(store, stream)) ?? { schema: NOTHING, history: [] }, fixed);
}

/** Takes the pages' shapes into the stream's schema. @returns the schema, which then holds every record of the pages. */
export async function growSchema(
  store: ObjectStore,
  stream: string,
  fixed: FixedColumns,
  pages: readonly ShapedPage[],
  reading: Reading,
  at: Micros,
): Promise<RecordSchema> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stored = await getJson<SchemaDocument>(store, schemaKey(stream));
    const before = stored?.value ?? { format: 1 as const, stream, schema: NOTHING, shape: shapeToJson(emptyShape()), history: [] };
    const after = { ...grow(before, fixed, pages, at), ...withReading(before, reading) };
    if (stored && saysTheSame(before, after)) return before.schema;
    if (await write(store, stream, after, stored?.tag ?? null)) return after.schema;
  }
  throw new TidemarkError({
    code: 'CONFLICT',
    message: `The schema of ${stream} was changed by others ${ATTEMPTS} times in a row`,
    hint: 'Nothing was lost. Run the same command again.',
    transient: true,
  });
}

/** A shape is arrays all through, so that its text does not depend on the order in which the store keeps members. */
function saysTheSame(before: SchemaDocument, after: SchemaDocument): boolean {
  if (after.readings?.length !== before.readings?.length) return false;
  return after.schema === before.schema && JSON.stringify(after.shape) === JSON.stringify(before.shape);
}

/** @returns false where the schema must be read again: somebody else wrote it, or the store cannot tell who did. */
async function write(store: ObjectStore, stream: string, document: SchemaDocument, tag: string | null): Promise<boolean> {
  try {
    if (tag === null) return (await createJson(store, schemaKey(stream), document)).outcome === 'created';
    return (await replaceJson(store, schemaKey(stream), document, tag)) !== null;
  } catch (error) {
    if (isTidemarkError(error, 'STORE') && error.transient) return false;
    throw error;
  }
}

const AS_THEY_ARE: Reading = { version: 0, hash: '' };

/**
 * Notes how a version reads, once. What a version makes of a record never changes after that, so that whoever reads it, and whenever, makes
 * the same row of it. @throws CONFIG where the version reads otherwise.
 */
function withReading({ stream, history, readings }: SchemaDocument, reading: Reading): Pick<SchemaDocument, 'readings'> {
  const noted = readings ?? (history.length > 0 ? [AS_THEY_ARE] : []);
  const same = noted.find(({ version }) => version === reading.version);
  if (same && same.hash !== reading.hash) throw readsOtherwise(stream, Math.max(...noted.map(({ version }) => version)), reading);
  if (same) return readings ? { readings } : {};
  const isPlain = reading.version === 0 && reading.hash === '';
  return isPlain && !readings ? {} : { readings: [...noted, reading] };
}

const readsOtherwise = (stream: string, last: number, { version }: Reading): TidemarkError =>
  new TidemarkError({
    code: 'CONFIG',
    message: `transform of ${stream}: version ${version} has read records with other columns, or with another contract`,
    hint: `Nothing was changed. What a version reads stays as it is: write version: ${last + 1} under transform, then replay what is to be read anew.`,
  });

/** Pure: the document after the pages, one entry of history for each page that changed a column. */
export function grow(before: SchemaDocument, fixed: FixedColumns, pages: readonly ShapedPage[], at: Micros): SchemaDocument {
  const shape = shapeFromJson(before.shape);
  const history = noted(before);
  let known = foldFields(history);
  let { schema } = before;
  for (const page of pages) {
    mergeShape(shape, shapeFromJson(page.shape));
    const next = schemaOf(shape, fixed, schema.version + 1, schema);
    const changes = diffSchemas(schema, next);
    if (changes.length === 0) continue;
    const after = fieldTree(next);
    history.push({ version: next.version, at, page: page.key, changes, known: fieldChanges(known, after) });
    schema = next;
    known = after;
  }
  return { format: 1, stream: before.stream, schema, shape: shapeToJson(shape), history };
}

/** The history, whose last version notes its fields. One that was written before they were noted has the schema itself to tell them. */
function noted({ history, schema }: SchemaDocument): SchemaVersion[] {
  const last = history.at(-1);
  if (!last || last.known) return [...history];
  return [...history.slice(0, -1), { ...last, known: fieldChanges(foldFields(history), fieldTree(schema)) }];
}
