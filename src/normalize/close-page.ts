import { join } from 'node:path';
import { assert } from '../errors.ts';
import type { Contract } from '../schema/contract.ts';
import type { ShapeJson } from '../schema/shape.ts';
import type { BatchInput, PageSource } from './batch.ts';
import { bringBody, sourceOf } from './bring.ts';
import type { Pool } from './pool.ts';
import type { MeasuredPage, PageBody, RefusedRecord } from './tasks.ts';

/** A page of a batch, by its index: what of it may enter is known, and no more of it has been read than had to be. */
export interface IndexedPage extends Omit<MeasuredPage, 'page'> {
  readonly source: PageSource;
  /** Its body as a local file, where it was needed so far. */
  readonly body: string | null;
  /** Positions of the refused records. */
  readonly refused: readonly number[];
  /** Local file of QuarantineLines; null where nothing was refused. */
  readonly quarantine: string | null;
}

export interface IndexWork {
  readonly folder: string;
  readonly input: BatchInput;
  readonly pool: Pool;
  readonly now: number;
  /** Null where every field may come in. */
  readonly contract: Contract | null;
}

/**
 * What is known of a page once its records were judged; the refused ones are written down with their bytes.
 * @param body where it was brought; null where the index said everything. @param measured of the body.
 */
export async function closePage(
  work: IndexWork,
  page: number,
  body: PageBody | null,
  measured: MeasuredPage | null,
  refused: readonly RefusedRecord[],
): Promise<IndexedPage> {
  const source = sourceOf(work.input, page);
  const known = { source, ...(measured ?? landedMeasure(source)), refused: refused.map((record) => record.position) };
  if (refused.length === 0) return { ...known, body: body?.path ?? null, quarantine: null };
  const needed = body ?? (await bringBody(work.folder, source, page));
  const quarantine = join(work.folder, `refused-${page}`);
  const shape = await writeRefused(work, needed, refused, quarantine);
  return { ...known, shape, body: needed.path, quarantine };
}

function landedMeasure({ measured }: PageSource): Omit<MeasuredPage, 'page'> {
  assert(measured, 'a page with an index was measured');
  return { sha256: measured.sha256, records: measured.records, shape: measured.shape };
}

async function writeRefused(
  { input, pool, now }: IndexWork,
  page: PageBody,
  refused: readonly RefusedRecord[],
  path: string,
): Promise<ShapeJson> {
  const { definition } = input;
  const { shape } = await pool.run({
    kind: 'refuse',
    page,
    records: definition.records,
    refused,
    stream: definition.stream,
    rules: definition.rules.map(({ name, field }) => ({ name, field })),
    path,
    now,
  });
  return shape;
}
