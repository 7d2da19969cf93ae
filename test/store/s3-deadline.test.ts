import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { S3_LIMITS } from '../../src/store/s3-limits.ts';
import { commandedClock } from './clocks.ts';
import { keysOf } from './contract.ts';
import { openS3 } from './s3-clients.ts';

/** More than the buffers of two sockets hold. */
const LARGE = 32 * 1024 * 1024;
const body = Buffer.from('x');

/** A server that says what it is told to once a request has begun, and nothing more: only the client's deadline ends that. */
async function startHanging(says: string, clock: { elapse(): void }): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.pause();
      socket.write(says, () => setImmediate(() => clock.elapse()));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

describe('R14: a deadline ends what hangs, socket and all, and so often that a call ends', () => {
  const clock = commandedClock();
  let sockets: Socket[];
  let closing: (() => unknown)[];
  let folder: string;
  const seen = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);

  beforeEach(async () => {
    sockets = [];
    folder = await mkdtemp(join(tmpdir(), 's3-deadline-'));
    closing = [() => rm(folder, { recursive: true })];
  });
  afterEach(async () => {
    unsubscribe('net.client.socket', seen);
    for (const close of closing.toReversed()) await close();
  });

  function storeAt(port: number): ObjectStore {
    const account = { endpoint: `http://127.0.0.1:${port}`, region: 'eu-west-1', accessKeyId: 'key', secretAccessKey: 'secret' };
    const { store, close } = openS3(account, { bucket: 'landing', clock });
    closing.push(close);
    subscribe('net.client.socket', seen);
    return store;
  }

  async function storeThatHears(says: string): Promise<ObjectStore> {
    const { server, port } = await startHanging(says, clock);
    closing.push(() => server.close());
    return storeAt(port);
  }

  async function expectOverdue(call: Promise<unknown>): Promise<void> {
    await expect(call).rejects.toMatchObject({
      code: 'STORE',
      transient: true,
      message: expect.stringMatching(/no end within \d+ seconds/),
    });
    expect(sockets.length).toBeGreaterThanOrEqual(S3_LIMITS.read.attempts);
    for (const socket of sockets) expect(socket.destroyed).toBe(true);
  }

  const SILENCE = '';
  it('of a request that is never answered', async () => {
    const store = await storeThatHears(SILENCE);
    for (const call of [
      () => store.get('a'),
      () => store.head('a'),
      () => store.remove('a'),
      () => keysOf(store.list('')),
      () => store.create('a', body),
      () => store.replace('a', body, '"tag"'),
    ]) {
      sockets = [];
      await expectOverdue(call());
    }
  });

  it.each([
    ['that waits to be allowed to send its body', SILENCE],
    ['whose body nobody reads', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('of a request %s, and closes the file that it sends', async (_, says) => {
    const store = await storeThatHears(says);
    const file = join(folder, 'large');
    await writeFile(file, Buffer.alloc(LARGE));
    await expectOverdue(store.upload('a', file));
    await expectOverdue(store.create('a', Buffer.alloc(LARGE)));
    if (process.platform === 'linux') expect(await openFiles()).not.toContain(file);
  });

  it('of an answer whose body stands still, and leaves no half of a file', async () => {
    const store = await storeThatHears('HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 1000\r\n\r\nhalf');
    await expectOverdue(store.get('a'));
    sockets = [];
    await expectOverdue(store.download('a', join(folder, 'copy')));
    await expect(access(join(folder, 'copy'))).rejects.toThrow('ENOENT');
  });

  it('of a connection that is never made', async () => {
    const deaf = spawn(process.execPath, [join(import.meta.dirname, 'processes/deaf.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
    closing.push(() => deaf.kill('SIGKILL'));
    const [port] = (await once(deaf.stdout, 'data')) as [Buffer];
    const queue = Array.from({ length: 4 }, () => connect(Number(port), '127.0.0.1').on('error', () => undefined));
    closing.push(() => queue.map((socket) => socket.destroy()));
    await Promise.race(queue.map((socket) => once(socket, 'connect')));
    const store = storeAt(Number(port));
    const connecting: boolean[] = [];
    const elapse = (message: unknown): void => {
      setImmediate(() => {
        connecting.push((message as { socket: Socket }).socket.connecting);
        clock.elapse();
      });
    };
    subscribe('net.client.socket', elapse);
    closing.push(() => unsubscribe('net.client.socket', elapse));
    await expectOverdue(store.get('a'));
    expect(connecting).toEqual(connecting.map(() => true));
  });
});

async function openFiles(): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd');
  return Promise.all(numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')));
}
