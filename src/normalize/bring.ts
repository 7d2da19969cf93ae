import { hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import { assert, isTidemarkError } from '../errors.ts';
import type { IndexRef } from '../manifest/documents.ts';
import { fieldNames } from '../page/fields.ts';
import { needsCare } from '../page/record.ts';
import { type Contract, mayMeet } from '../schema/contract.ts';
import { shapeFromJson } from '../schema/shape.ts';
import { indexKey } from '../store/keys.ts';
import type { BatchInput, PageSource } from './batch.ts';
import type { IndexWork } from './close-page.ts';
import { fieldsOf } from './definition.ts';
import { type LineFiles, landedName } from './statements.ts';
import type { PageBody, PageIndex } from './tasks.ts';

/** Objects that are brought at once. */
const AT_ONCE = 8;

/** The indexes of some pages as they are stored, for DuckDB to read. @returns null where not each of them has one that is as it landed. */
export async function bringLandedIndexes({ folder, input, contract }: IndexWork, pages: readonly number[]): Promise<LineFiles | null> {
  const sources = pages.map((page) => ({ page, source: sourceOf(input, page) }));
  const refs = sources.map(({ source }) => usableIndex(input, source, contract));
  if (refs.some((ref) => !ref?.stored)) return null;
  const files = await mapConcurrent(sources, AT_ONCE, async ({ page, source }, at) => {
    const { sha256 = '', stored } = refs[at] ?? {};
    const object = await source.store.get(indexKey(source.object, sha256));
    if (!object || hash('sha256', object.body) !== stored?.sha256) return null;
    const path = join(folder, landedName(page));
    await writeFile(path, object.body);
    return path;
  });
  const brought = files.filter((file) => file !== null);
  if (brought.length < files.length) return null;
  return { files: brought, longest: Math.max(...refs.map((ref) => ref?.stored?.longest ?? 0)) };
}

/** The page's index, where it landed with one that tells everything; else its body. */
export async function bringIndex({ folder, input, contract }: IndexWork, page: number): Promise<PageBody | PageIndex> {
  const source = sourceOf(input, page);
  const index = usableIndex(input, source, contract);
  if (index) {
    const path = join(folder, `landed-index-${page}`);
    const key = indexKey(source.object, index.sha256);
    try {
      await source.store.download(key, path);
      return { page, key, path, sha256: index.sha256 };
    } catch (error) {
      if (!isTidemarkError(error, 'NOT_FOUND')) throw error;
    }
  }
  return bringBody(folder, source, page);
}

function usableIndex({ definition }: BatchInput, { measured }: PageSource, contract: Contract | null): IndexRef | null {
  if (!measured?.index) return null;
  const fields = fieldsOf(definition);
  const given = new Set(measured.index.fields);
  const complete = fieldNames(fields).every((name) => given.has(name));
  const shape = shapeFromJson(measured.shape);
  const mayBeFrozen = contract !== null && mayMeet(shape, contract).freeze;
  return complete && !mayBeFrozen && !needsCare(shape, fields) ? measured.index : null;
}

export async function bringBody(folder: string, source: PageSource, page: number): Promise<PageBody> {
  const path = join(folder, `body-${page}`);
  await source.store.download(source.object, path);
  return bodyAt(path, source, page);
}

/** A body that is on this machine already. */
export function bodyAt(path: string, { key, measured }: PageSource, page: number): PageBody {
  if (!measured) return { page, key, path, measured };
  const { sha256, storedSha256 = null, span, shape } = measured;
  return { page, key, path, measured: { sha256, storedSha256, span, shape } };
}

export function sourceOf(input: BatchInput, page: number): PageSource {
  const source = input.pages[page];
  assert(source, 'a page number is of the batch');
  return source;
}
