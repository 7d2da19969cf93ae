import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';

/** Where `make fakesnow` installs it. */
const FAKESNOW = 'tmp/fakesnow/bin/fakesnow';

export interface FakesnowProcess {
  readonly url: string;
  close(): Promise<void>;
}

/** @throws where `make fakesnow` has not been run, or it does not come up. */
export async function startFakesnowProcess(): Promise<FakesnowProcess> {
  const port = await freePort();
  const child = spawn(FAKESNOW, ['-s', '-p', String(port)], {
    stdio: 'ignore',
  });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new Error(`fakesnow does not start; has \`make fakesnow\` been run? ${error.message}`)));
    child.once('exit', (code) => reject(new Error(`fakesnow ended with ${code}`)));
  });
  failed.catch(() => undefined);
  const url = `http://127.0.0.1:${port}`;
  await Promise.race([failed, answers(url)]);
  return { url, close: () => end(child) };
}

/** It takes two seconds to come up: asked until it answers. */
async function answers(url: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    try {
      const { body } = await request(`${url}/session`, { method: 'POST' });
      await body.dump();
      return;
    } catch {
      await delay(100);
    }
  }
  throw new Error('fakesnow did not answer within a minute');
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.removeAllListeners('exit');
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
