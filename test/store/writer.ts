import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isTidemarkError } from '../../src/errors.ts';
import { seededRandom } from '../../src/store/faulty.ts';
import { createJson, getJson, replaceJson } from '../../src/store/json.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { unknownOutcome } from './document.ts';

/** What every writer changes by compare-and-set. */
export interface Ledger {
  readonly seq: number;
  /** In the order in which they were applied: `seq` of them. */
  readonly applied: readonly string[];
}

export const LEDGER = 'state/ledger.json';

/** What stands in a slot, as a writer tells it: whose it is, and how often. */
export function bodyBytes(body: string): Buffer {
  const [name = '', times] = body.split('*');
  return Buffer.from(name.repeat(Number(times)));
}

export interface WriterJob {
  readonly name: string;
  readonly seed: number;
  /** Entries that it adds to the ledger. */
  readonly entries: number;
  /** Keys that every writer tries to create. */
  readonly slots: number;
  /** For files that it uploads. */
  readonly folder: string;
}

/** One thing that a writer began, or that the store told it. */
export type Told =
  | { readonly did: 'began'; readonly entry: string }
  | { readonly did: 'began'; readonly slot: string; readonly body: string }
  /** The ledger holds the entry at that place; or not; or nobody knows. */
  | { readonly did: 'entered'; readonly entry: string; readonly seq: number }
  | { readonly did: 'refused'; readonly entry: string; readonly seq: number }
  | { readonly did: 'created' | 'found'; readonly slot: string; readonly body: string }
  | { readonly did: 'lost'; readonly entry?: string; readonly slot?: string };

/** Adds its entries and tries to create each slot, in an order of its own, once each; goes on where an outcome is not known. */
export async function writeAndTell(store: ObjectStore, job: WriterJob, tell: (told: Told) => void): Promise<void> {
  const random = seededRandom(job.seed);
  await patiently(() => createJson(store, LEDGER, { seq: 0, applied: [] } satisfies Ledger));
  const entries = Array.from({ length: job.entries }, (_, i) => () => enter(store, `${job.name}-${i}`, tell));
  const slots = Array.from({ length: job.slots }, (_, i) => () => claim(store, job, i, random, tell));
  for (const step of shuffled([...entries, ...slots], random)) await step();
}

async function enter(store: ObjectStore, entry: string, tell: (told: Told) => void): Promise<void> {
  for (;;) {
    const standing = await patiently(() => getJson<Ledger>(store, LEDGER));
    if (!standing) throw new Error(`${LEDGER} is gone`);
    const { seq, applied } = standing.value;
    if (applied.includes(entry)) throw new Error(`${entry} was refused, and yet it was applied`);
    tell({ did: 'began', entry });
    const next: Ledger = { seq: seq + 1, applied: [...applied, entry] };
    const tag = await replaceJson(store, LEDGER, next, standing.tag).catch(unknownOutcome);
    if (tag === 'unknown') return tell({ did: 'lost', entry });
    if (tag !== null) return tell({ did: 'entered', entry, seq: seq + 1 });
    tell({ did: 'refused', entry, seq: seq + 1 });
  }
}

async function claim(store: ObjectStore, job: WriterJob, index: number, random: () => number, tell: (told: Told) => void): Promise<void> {
  const slot = `raw/slot-${index}`;
  const body = `${job.name}*${1 + Math.floor(random() * 3000)}`;
  const bytes = bodyBytes(body);
  tell({ did: 'began', slot, body });
  const path = join(job.folder, `${job.name}-${index}`);
  const asFile = random() < 0.5;
  if (asFile) await writeFile(path, bytes);
  const told = await (asFile ? store.upload(slot, path) : store.create(slot, bytes)).catch(unknownOutcome);
  if (asFile) await rm(path);
  if (told === 'unknown') tell({ did: 'lost', slot });
  else tell({ did: told.outcome === 'created' ? 'created' : 'found', slot, body });
}

/** Reads, and creates what is the same whoever creates it, are asked again until they are answered. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isTidemarkError(error, 'STORE') || !error.transient) throw error;
    }
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = items.map((item) => ({ item, at: random() }));
  return order.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
