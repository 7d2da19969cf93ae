import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { probeStore } from '../../src/store/probe.ts';
import { type S3Server, type S3ServerOptions, startS3Server } from '../support/s3-server.ts';
import { contract, keysOf, type OpenedStore, textAt } from './contract.ts';
import { openS3 } from './s3-clients.ts';

interface S3Setting extends Partial<S3ServerOptions> {
  readonly prefix?: string;
  readonly kmsKey?: string;
  /** The bucket that the store asks for, where it is not the server's. */
  readonly asks?: string;
}

async function open(setting: S3Setting): Promise<OpenedStore & { readonly server: S3Server }> {
  const { asks = 'landing', prefix = '', kmsKey, ...options } = setting;
  const server = await startS3Server({ bucket: 'landing', ...options });
  const account = { endpoint: server.endpoint, region: 'eu-west-1', accessKeyId: 'key', secretAccessKey: 'secret' };
  const { store, close } = openS3(account, { bucket: asks, prefix, ...(kmsKey === undefined ? {} : { kmsKey }) });
  return { server, store, close: () => close().then(() => server.close()) };
}

contract('the S3 store', () => open({ listPage: 5 }));
contract('the S3 store under a prefix', () => open({ prefix: 'team/tidemark', listPage: 5 }));
contract(
  'the S3 store whose server loses answers, collides, throttles and breaks off',
  () => open({ faults: { seed: 11, lostAnswers: 0.08, collisions: 0.05, unavailable: 0.05, brokenBodies: 0.08 }, listPage: 5 }),
  { losesAnswers: true },
);

describe('the S3 store', () => {
  let opened: Awaited<ReturnType<typeof open>> | undefined;
  const use = async (setting: S3Setting): Promise<ObjectStore> => (opened = await open(setting)).store;
  afterEach(() => opened?.close());

  it('passes the probe and leaves nothing behind', async () => {
    const store = await use({});
    await probeStore(store, randomUUID);
    expect(await keysOf(store.list(''))).toEqual([]);
  });

  it('passes the probe where answers are lost', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      await probeStore(await use({ faults: { seed, lostAnswers: 0.3 } }), randomUUID);
      await opened?.close();
    }
    opened = undefined;
  });

  it('is refused at the start where the server overwrites in silence', async () => {
    const store = await use({ ignoresConditions: true });
    await expect(probeStore(store, randomUUID)).rejects.toMatchObject({
      code: 'STORE_UNSAFE',
      message: expect.stringContaining('s3://landing lets a second writer create an object that exists'),
    });
  });

  it('knows its own write when every first answer is lost', async () => {
    const store = await use({ faults: { seed: 3, lostAnswers: 0.5 } });
    for (let i = 0; i < 10; i++) {
      const created = await store.create(`a/${i}`, Buffer.from('one'));
      expect(created.outcome).toBe('created');
      const tag = created.outcome === 'created' ? created.tag : '';
      expect(await store.replace(`a/${i}`, Buffer.from('two'), tag)).not.toBeNull();
      expect(await textAt(store, `a/${i}`)).toBe('two');
    }
  });

  it('R16: encrypts with the configured KMS key', async () => {
    const store = await use({ kmsKey: 'alias/tidemark' });
    await store.create('a', Buffer.from('personal'));
    expect(opened?.server.puts[0]).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/tidemark',
    });
  });

  it('says which bucket is missing, and does not take it for a missing object', async () => {
    const store = await use({ asks: 'other' });
    for (const call of [
      () => store.get('a'),
      () => store.create('a', Buffer.from('x')),
      () => store.replace('a', Buffer.from('x'), '"t"'),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'STORE',
        transient: false,
        hint: expect.stringContaining('Create the bucket of s3://other'),
      });
    }
  });

  it.each([
    ['without credentials', { AWS_REGION: 'eu-west-1' }, 'Give this process AWS credentials'],
    ['without a region', { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }, 'Set `region` under `store:`'],
  ])('says before anything is sent what a process %s lacks', async (_, given, hint) => {
    const config = { kind: 's3', bucket: 'b', prefix: '', pathStyle: false };
    const alone = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
    const script = join(import.meta.dirname, 'processes/probe.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(config)], { env: { ...alone, ...given } });
    expect(JSON.parse(stdout)).toMatchObject({ code: 'STORE', transient: false, hint: expect.stringContaining(hint) });
    expect(stdout).toContain('cannot write probe/');
  });

  it('gives up on a server that only throttles, and says that it may pass', async () => {
    const store = await use({ faults: { seed: 1, unavailable: 1 } });
    const failure = { code: 'STORE', transient: true, message: expect.stringContaining('503 SlowDown') };
    await expect(store.get('a')).rejects.toMatchObject(failure);
    await expect(store.create('a', Buffer.from('x'))).rejects.toMatchObject(failure);
    await expect(keysOf(store.list(''))).rejects.toMatchObject(failure);
  });

  it('names a store that is not there', async () => {
    const store = await use({});
    await opened?.server.close();
    await expect(store.head('a')).rejects.toMatchObject({
      code: 'STORE',
      transient: true,
      message: expect.stringContaining('s3://landing'),
    });
  });
});
