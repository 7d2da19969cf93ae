import type { Engine } from '../../src/engine.ts';
import type { Batch, Decision } from '../../src/manifest/documents.ts';
import { batchKey, heldDecisionKey, heldPrefix } from '../../src/store/keys.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { Violation } from './scheduler.ts';

/** R23, R24: nothing of a held batch is in the table before its release: not the batch, and no row that came from its pages. */
export async function checkHeld(store: ObjectStore, engine: Engine, stream: string): Promise<void> {
  const waiting = await unreleased(store, stream);
  if (waiting.length === 0 || !(await isThere(engine, stream))) return;
  const list = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(', ');
  const ids = list(waiting.map(({ id }) => id));
  const pages = list(waiting.flatMap((batch) => batch.pages.map(({ key }) => key)));
  const [row] = await engine.rows(`SELECT
    (SELECT count(*) FROM tidemark.ledger WHERE stream = '${stream}' AND batch IN (${ids})) AS batches,
    (SELECT count(*) FROM ${stream} WHERE _page IN (${pages === '' ? "''" : pages})) AS found`);
  const [known, found] = [Number(row?.['batches']), Number(row?.['found'])];
  if (known + found > 0)
    throw new Violation(`R24: ${stream} has ${known} held batches and ${found} rows of their pages, and nobody released them`);
}

async function unreleased(store: ObjectStore, stream: string): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const { key } of store.list(heldPrefix(stream))) {
    const id = /\/([0-9a-f]+)\.json$/.exec(key)?.[1];
    const decision = id === undefined ? null : await read<Decision>(store, heldDecisionKey(stream, id));
    const batch = id === undefined || decision?.decision === 'release' ? null : await read<Batch>(store, batchKey(stream, id));
    if (batch) batches.push(batch);
  }
  return batches;
}

async function read<T>(store: ObjectStore, key: string): Promise<T | null> {
  const object = await store.get(key);
  return object && (JSON.parse(object.body.toString()) as T);
}

async function isThere(engine: Engine, stream: string): Promise<boolean> {
  const [found] = await engine.rows(`SELECT 1 AS found FROM information_schema.tables WHERE table_name = '${stream}'`);
  return found !== undefined;
}
