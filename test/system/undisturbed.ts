import { execFile } from 'node:child_process';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { isProved } from '../../src/demo/proof.ts';
import { readHead } from '../../src/manifest/state.ts';
import type { PartnerSettings } from '../../src/partner/options.ts';
import { HOUR } from '../../src/time.ts';
import { type ProxyFaults, startS3Proxy } from '../support/s3-proxy.ts';
import { said } from '../support/tidemark.ts';
import { useCredentials, type Versitygw } from '../support/versitygw.ts';
import { type Signs, watchSigns } from './signs.ts';
import { imageOf, type TableImage } from './table.ts';
import { NOW, openWorld, type TestBucket, type TestWorld } from './world.ts';

/** A world that nothing happens to, for others of the same seed to be held against. */
export interface Undisturbed {
  readonly seed: number;
  /** Store and warehouse as they were before the last run: where disturbed runs begin. */
  readonly template: string;
  readonly buckets: Buckets | undefined;
  readonly image: Record<string, TableImage>;
  /** What the last run let the outside see of itself. */
  readonly signs: number;
}

/** The last run asks for what came within an hour, and then sweeps over two days: every path of every stage is taken. */
export const LAST_RUN = ['run', '--once', '--sweep'] as const;

/** Enough refused records for some of them to be new in the last hour, whatever the seed. */
const PARTNER: PartnerSettings = { badShare: 0.2 };

/** Buckets for worlds whose store is a real server's, each behind a proxy of its own. */
export interface Buckets {
  readonly server: Versitygw;
  readonly faults: ProxyFaults;
}

export async function runUndisturbed(seed: number, buckets?: Buckets): Promise<Undisturbed> {
  const bucket = buckets && (await openBucket(buckets, `undisturbed-${seed}`, null));
  const world = await openWorld({ seed, partner: PARTNER, ...(bucket && { bucket }) });
  try {
    const first = await world.run(NOW - HOUR, ['run', '--once']);
    expect(first.code, said(first)).toBe(0);
    const template = await mkdtemp(join(tmpdir(), 'tidemark-template-'));
    await cp(world.folder, template, { recursive: true });
    if (buckets && bucket) await copyBucket(buckets, bucket.name, templateBucket(seed));
    const signs: Signs = watchSigns(world, Number.POSITIVE_INFINITY);
    const last = signs.follow(world.start(NOW, LAST_RUN, signs.options));
    const ended = await last.ended;
    signs.close();
    expect(ended.code, said(ended)).toBe(0);
    await expectExact(world, `seed ${seed}, undisturbed`);
    return { seed, template, buckets, image: await imageIn(world), signs: signs.seen() };
  } finally {
    await world.close();
  }
}

/** The same world with a partner of its own, as it was before the last run. */
export async function beforeLastRun({ seed, template, buckets }: Undisturbed): Promise<TestWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-killed-'));
  await cp(template, folder, { recursive: true });
  const bucket = buckets && (await openBucket(buckets, basename(folder).toLowerCase(), templateBucket(seed)));
  return openWorld({ seed, folder, partner: PARTNER, ...(bucket && { bucket }) });
}

const templateBucket = (seed: number): string => `template-${seed}`;

async function openBucket({ server, faults }: Buckets, name: string, from: string | null): Promise<TestBucket> {
  useCredentials(server);
  if (from === null) await server.createBucket(name);
  else await copyBucket({ server }, from, name);
  return { name, region: server.region, proxy: await startS3Proxy(server.endpoint, { seed: 1, faults }) };
}

/** The server keeps what it knows of a bucket in extended attributes, which Node's copy leaves behind. */
async function copyBucket({ server }: Pick<Buckets, 'server'>, from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', join(server.folder, from), join(server.folder, to)]);
}

export const imageIn = (world: TestWorld): Promise<Record<string, TableImage>> =>
  world.withWarehouse((warehouse) => imageOf(warehouse, world.settings.streams));

/** The warehouse is the partner's truth, its ledger agrees with its tables, and nothing is left to do. */
export async function expectExact(world: TestWorld, told: string): Promise<void> {
  for (const [stream, proof] of Object.entries(await world.prove()))
    expect(isProved(proof), `${told}: ${stream} ${JSON.stringify(proof)}`).toBe(true);
  await world.withWarehouse(async (warehouse) => {
    for (const { name } of world.settings.streams) {
      const [sums] = await warehouse.query(`
        SELECT (SELECT count(*) FROM ${name}) AS in_table, coalesce(sum(inserted), 0)::BIGINT AS inserted,
          coalesce(sum(inserted + updated + unchanged), 0)::BIGINT AS merged, coalesce(sum(row_count), 0)::BIGINT AS row_count,
          count(*) AS entries, count(DISTINCT batch) AS batches,
          (SELECT count(*) FROM tidemark.audit WHERE stream = '${name}' AND action = 'load') AS loads
        FROM tidemark.ledger WHERE stream = '${name}'`);
      expect(sums?.['inserted'], `${told}: ${name} rows in the ledger`).toBe(sums?.['in_table']);
      expect(sums?.['merged'], `${told}: ${name} rows that were merged`).toBe(sums?.['row_count']);
      expect(sums?.['entries'], `${told}: ${name} batches, once each`).toBe(sums?.['batches']);
      expect(sums?.['loads'], `${told}: ${name} loads in the audit`).toBe(sums?.['entries']);
    }
  });
  for (const { name } of world.settings.streams) {
    const head = (await readHead(world.store, name))?.head;
    expect({ open: head?.open, pending: head?.pending, holder: head?.holder }, `${told}: head of ${name}`).toEqual({
      open: [],
      pending: [],
      holder: null,
    });
  }
}
