import { join } from 'node:path';
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
import type { PageBody, PageIndex } from './tasks.ts';

/** The page's index, where it landed with one that tells everything; else its body. */
export async function bringIndex({ folder, input, contract }: IndexWork, page: number): Promise<PageBody | PageIndex> {
  const source = sourceOf(input, page);
  const { measured } = source;
  const index = usableIndex(input, source, contract);
  if (measured && index) {
    const path = join(folder, `landed-index-${page}`);
    const indexAt = indexKey(source.object, index.sha256);
    try {
      await source.store.download(indexAt, path);
      const { sha256, stored } = index;
      return { page, key: source.key, indexKey: indexAt, path, sha256, storedSha256: stored?.sha256 ?? null, records: measured.records };
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
