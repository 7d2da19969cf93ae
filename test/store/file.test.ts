import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stageBytes } from '../../src/store/disk.ts';
import { fileStore } from '../../src/store/file.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { probeStore } from '../../src/store/probe.ts';
import { numberUnder, publishAfter, VERSIONS_KEPT } from '../../src/store/versions.ts';
import { contract, infosOf, keysOf, textAt } from './contract.ts';
import { processContract } from './process-contract.ts';

contract('the file store', async () => {
  const root = await mkdtemp(join(tmpdir(), 'file-store-'));
  return { store: fileStore(join(root, 'store'), randomUUID), close: () => rm(root, { recursive: true }) };
});

const roots: string[] = [];
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true }))));
processContract('the file store', async () => {
  const root = await mkdtemp(join(tmpdir(), 'file-store-'));
  roots.push(root);
  return { kind: 'file', path: join(root, 'store') };
});

const script = (name: string): string => join(import.meta.dirname, 'processes', `${name}.ts`);
const run = promisify(execFile);
const node = process.execPath;

/** A user's own mount namespace: a place for file systems of any size, without rights on this machine. */
const canMount = ((): boolean => {
  try {
    execFileSync('unshare', ['-rm', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('the file store', () => {
  let root: string;
  let store: ObjectStore;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'file-store-'));
    store = fileStore(root, randomUUID);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('passes the probe and leaves nothing behind', async () => {
    await probeStore(store, randomUUID);
    expect(await keysOf(store.list(''))).toEqual([]);
    expect(await readdir(root)).toEqual(['.tidemark']);
  });

  it('shows people each object at its own name, a document as it is now', async () => {
    await store.create('raw/page.json', Buffer.from('page'));
    const created = await store.create('state/head.json', Buffer.from('one'));
    let tag: string | null = created.outcome === 'created' ? created.tag : '';
    for (let i = 0; i < 30; i++) tag = await store.replace('state/head.json', Buffer.from(`now ${i}`), tag ?? '');
    expect(await readFile(join(root, 'raw/page.json'), 'utf8')).toBe('page');
    expect(await readFile(join(root, 'state/head.json'), 'utf8')).toBe('now 29');
  });

  it('keeps a bounded number of former versions', async () => {
    const created = await store.create('doc', Buffer.from('one'));
    let tag: string | null = created.outcome === 'created' ? created.tag : '';
    for (let i = 0; i < VERSIONS_KEPT * 3; i++) tag = await store.replace('doc', Buffer.from(`${i}`), tag ?? '');
    expect(await readdir(join(root, '.tidemark.doc'))).toHaveLength(VERSIONS_KEPT);
  });

  it('never takes a replacer at its word that slept while its number was freed', async () => {
    const doc = join(root, 'doc');
    const created = await store.create('doc', Buffer.from('one'));
    const first = created.outcome === 'created' ? created.tag : '';
    const number = (await numberUnder(doc, first)) ?? 0;
    let tag: string | null = first;
    for (let i = 0; i < VERSIONS_KEPT * 2; i++) tag = await store.replace('doc', Buffer.from(`newer ${i}`), tag ?? '');
    const late = await stageBytes(root, 'late', Buffer.from('late'));
    await expect(publishAfter(doc, number, late, first)).rejects.toMatchObject({ code: 'ESTALE' });
    expect(await store.get('doc')).toMatchObject({ body: Buffer.from(`newer ${VERSIONS_KEPT * 2 - 1}`), tag });
    expect(await store.replace('doc', Buffer.from('next'), tag ?? '')).not.toBeNull();
    expect(await textAt(store, 'doc')).toBe('next');
  });

  it('never lists what a dead process left half-made, and clears it away', async () => {
    await expect(run(node, [script('die-while-writing'), root])).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(await readdir(join(root, '.tidemark/tmp'))).toHaveLength(1);
    expect(await keysOf(store.list(''))).toEqual([]);
    await store.create('a', Buffer.from('x'));
    expect(await readdir(join(root, '.tidemark/tmp'))).toEqual([]);
  });

  it('leaves alone what a living process is writing', async () => {
    await mkdir(join(root, '.tidemark/tmp'), { recursive: true });
    await store.create('a', Buffer.from('x'));
    const other = fileStore(root, randomUUID);
    await writeFile(join(root, '.tidemark/tmp', `${encodeURIComponent(hostname())}~${process.pid}~other`), 'half');
    await other.create('b', Buffer.from('x'));
    expect(await readdir(join(root, '.tidemark/tmp'))).toHaveLength(1);
  });

  it('opens and lists a folder that does not exist yet without making it', async () => {
    const absent = fileStore(join(root, 'not/yet'), randomUUID);
    expect(await infosOf(absent.list(''))).toEqual([]);
    expect(await absent.get('a')).toBeNull();
    expect(await readdir(root)).toEqual([]);
  });

  it('says so where a file stands in the place of a folder', async () => {
    await store.create('a', Buffer.from('x'));
    await expect(store.create('a/b', Buffer.from('x'))).rejects.toMatchObject({
      code: 'STORE',
      message: expect.stringContaining('a file stands'),
    });
    await store.create('c/d', Buffer.from('x'));
    await expect(store.create('c', Buffer.from('x'))).rejects.toMatchObject({
      code: 'STORE',
      message: expect.stringContaining('a file stands'),
    });
    await expect(probeStore(fileStore(join(root, 'a'), randomUUID), randomUUID)).rejects.toMatchObject({ code: 'STORE' });
  });

  it.runIf(process.getuid?.() === 0)('names the folder that it may not write, and whose permission is missing', async () => {
    const answer = await written([script('write-once'), join(root, 'closed'), '1', '65534']);
    expect(answer).toMatchObject({ code: 'STORE', transient: false, message: expect.stringContaining('permission denied') });
    expect(answer.hint).toContain(`write permission on ${join(root, 'closed')}`);
  });

  it.runIf(canMount)('says that the disk is full, and keeps nothing of the object that did not fit', async () => {
    const commands = `mount -t tmpfs -o size=512k tmpfs ${root} && ${node} ${script('write-once')} ${root} 4000 >/dev/null && ${node} ${script('write-once')} ${root}/more 4000000 && find ${root}/more -type f`;
    const answer = JSON.parse((await run('unshare', ['-rm', 'sh', '-c', commands])).stdout) as Failure;
    expect(answer).toMatchObject({ code: 'STORE', transient: false, message: expect.stringContaining('the disk is full') });
    expect(answer.hint).toContain('Everything that was landed before is kept');
  });

  it.runIf(canMount)('says that the file system is read-only', async () => {
    const commands = `mount -t tmpfs -o ro tmpfs ${root} && ${node} ${script('write-once')} ${root} 10`;
    const answer = JSON.parse((await run('unshare', ['-rm', 'sh', '-c', commands])).stdout) as Failure;
    expect(answer).toMatchObject({ code: 'STORE', transient: false, message: expect.stringContaining('read-only') });
  });
});

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

async function written(args: readonly string[]): Promise<Failure> {
  return JSON.parse((await run(node, [...args])).stdout) as Failure;
}
