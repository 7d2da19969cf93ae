import { randomUUID } from 'node:crypto';
import { GetObjectTaggingCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generationPrefix, indexKey, manifestKey, pageKey, receiptKey } from '../../src/store/keys.ts';
import { probeStore } from '../../src/store/probe.ts';
import { s3Client } from '../../src/store/s3.ts';
import { HOUR } from '../../src/time.ts';
import { type ProxyFaults, type S3Proxy, startS3Proxy } from '../support/s3-proxy.ts';
import { describeOnVersitygw, startVersitygw, useCredentials, type Versitygw } from '../support/versitygw.ts';
import { commandedClock } from './clocks.ts';
import { contract, keysOf, type OpenedStore, textAt } from './contract.ts';
import { processContract } from './process-contract.ts';
import { openS3 } from './s3-clients.ts';

/** Pages of listings that the contract's few keys fill. */
const LIST_PAGE = 5;
let buckets = 0;

async function emptyBucket(server: Versitygw): Promise<string> {
  const bucket = `landing-${(buckets += 1)}`;
  await server.createBucket(bucket);
  return bucket;
}

describeOnVersitygw('on versitygw', () => {
  let server: Versitygw;
  beforeAll(async () => {
    server = await startVersitygw();
  });
  afterAll(() => server.close());

  contract('the S3 store', async () => openS3(server, { bucket: await emptyBucket(server), listPage: LIST_PAGE }));

  processContract('the S3 store', async () => {
    useCredentials(server);
    const bucket = await emptyBucket(server);
    return {
      kind: 's3',
      bucket,
      prefix: 'p',
      region: undefined,
      endpoint: server.endpoint,
      pathStyle: true,
      kmsKey: undefined,
      tags: true,
    };
  });

  async function behindProxy(faults: ProxyFaults, seed: number): Promise<OpenedStore & { readonly proxy: S3Proxy }> {
    const clock = commandedClock();
    const bucket = await emptyBucket(server);
    const proxy = await startS3Proxy(server.endpoint, { seed, faults, onStall: clock.elapse });
    const { store, close } = openS3(
      { ...server, endpoint: proxy.endpoint },
      { bucket, clock, prefix: 'team/tidemark', listPage: LIST_PAGE },
    );
    return { store, proxy, close: () => close().then(() => proxy.close()) };
  }

  /** Rare enough for six attempts never to fail. No stalls: deadlines come to all of the racing writers at once. */
  const SHARE = 0.012;
  const FAULTS = { throttled: SHARE, failed: SHARE, collided: SHARE, reset: SHARE, cut: SHARE, lost: SHARE, truncated: SHARE, slow: SHARE };
  contract('the S3 store behind a bad network', () => behindProxy(FAULTS, buckets), { losesAnswers: true });

  it.each(['throttled', 'failed', 'collided', 'reset', 'cut', 'lost', 'stalled', 'late', 'truncated', 'slow'] as const)(
    'tells the truth about each write, and reads whole objects, where every third request is %s',
    async (fault) => {
      const { store, proxy, close } = await behindProxy({ [fault]: 1 / 3 }, 5);
      for (let i = 0; i < 12; i++) {
        const created = await store.create(`a/${i}`, Buffer.from(`created ${i}`));
        expect(created.outcome).toBe('created');
        const tag = created.outcome === 'created' ? created.tag : '';
        expect(await store.create(`a/${i}`, Buffer.from('other'))).toEqual({ outcome: 'exists' });
        expect(await store.replace(`a/${i}`, Buffer.from(`replaced ${i}`), tag)).not.toBeNull();
        expect(await textAt(store, `a/${i}`)).toBe(`replaced ${i}`);
        expect(await keysOf(store.list('a/'))).toHaveLength(i + 1);
      }
      expect(proxy.counts[fault]).toBeGreaterThan(3);
      await close();
    },
  );

  it('R5: tags raw bodies for the lifecycle rules, and nothing else', async () => {
    const bucket = await emptyBucket(server);
    const { store, close } = openS3(server, { bucket });
    const folder = generationPrefix({ stream: 's', environment: '_' }, { start: 0, end: HOUR }, 1);
    const keys = [pageKey(folder, 1), indexKey(pageKey(folder, 1), 'ab'.repeat(32)), receiptKey(pageKey(folder, 1)), manifestKey(folder)];
    for (const key of keys) await store.create(key, Buffer.from('x'));
    const client = s3Client({ region: server.region, endpoint: server.endpoint, forcePathStyle: true, credentials: server });
    const tagsOf = async (Key: string) => (await client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key }))).TagSet;
    const raw = [{ Key: 'tidemark-retention', Value: 'raw' }];
    expect(await Promise.all(keys.map(tagsOf))).toEqual([raw, raw, [], []]);
    client.destroy();
    await close();
  });

  it('passes the probe and leaves nothing behind', async () => {
    const { store, close } = openS3(server, { bucket: await emptyBucket(server) });
    await probeStore(store, randomUUID);
    expect(await keysOf(store.list(''))).toEqual([]);
    await close();
  });
});

describeOnVersitygw('on versitygw with versioned buckets', () => {
  let server: Versitygw;
  beforeAll(async () => {
    server = await startVersitygw({ versioned: true });
  });
  afterAll(() => server.close());

  const REMOVED = 'versitygw 1.8.0 answers 412 to a create where a removed object left its delete marker; what is landed is never removed';
  contract('the S3 store', async () => openS3(server, { bucket: await emptyBucket(server), listPage: LIST_PAGE }), {
    gaps: { 'removes one object and frees its name': REMOVED },
  });

  it('passes the probe', async () => {
    const { store, close } = openS3(server, { bucket: await emptyBucket(server) });
    await probeStore(store, randomUUID);
    expect(await keysOf(store.list(''))).toEqual([]);
    await close();
  });
});
