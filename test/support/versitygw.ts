import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { request } from 'undici';
import { describe, it } from 'vitest';

/** versitygw, which `make versitygw` builds: an S3 server that is not ours, over a folder. */

export interface Versitygw {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** Buckets are folders in it, objects are files in those. */
  readonly folder: string;
  readonly pid: number;
  createBucket(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface VersitygwOptions {
  /** Buckets keep former versions of their objects. */
  readonly versioned?: boolean;
}

/** As in the Makefile: older versions lose races. */
const VERSION = '1.8.0';
const BINARY = process.env['VERSITYGW'] ?? fileURLToPath(new URL(`../../tmp/versitygw-${VERSION}/versitygw`, import.meta.url));
const KEYS = { accessKeyId: 'tidemark-tests', secretAccessKey: 'only-for-this-machine' } as const;
const REGION = 'eu-west-1';

const isBuilt = ((): boolean => {
  try {
    accessSync(BINARY, constants.X_OK);
    return true;
  } catch {
    return false;
  }
})();
const isRequired = Boolean(process.env['CI']) || process.env['TIDEMARK_REQUIRE_S3'] === '1';

/**
 * As `describe`, for what needs the server. Where it was not built the tests are skipped and the reason is printed; where `CI` or
 * `TIDEMARK_REQUIRE_S3=1` is set they fail.
 */
export function describeOnVersitygw(name: string, define: () => void): void {
  if (isBuilt) {
    describe(name, define);
    return;
  }
  const reason = `there is no ${BINARY}: run \`make versitygw\` (it needs Go), or set VERSITYGW to its path`;
  if (isRequired) {
    it(name, () => {
      throw new Error(reason);
    });
    return;
  }
  process.stderr.write(`skipped "${name}": ${reason}\n`);
  describe.skip(`${name} (${reason})`, define);
}

/** Credentials of this process, and of those that it starts, as every AWS tool finds them. */
export function useCredentials({ accessKeyId, secretAccessKey, region }: Versitygw): void {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region });
}

/** Starts a server on a free port with an empty folder of its own. Close it: that ends the process and removes the folder. */
export async function startVersitygw(options: VersitygwOptions = {}): Promise<Versitygw> {
  const root = await mkdtemp(join(tmpdir(), 'versitygw-'));
  const folder = join(root, 'buckets');
  const versions = join(root, 'versions');
  await mkdir(folder);
  await mkdir(versions);
  const backend = ['posix', ...(options.versioned ? ['--versioning-dir', versions] : []), folder];
  const { child, endpoint } = await startedOnFreePort(backend);
  const client = new S3Client({ region: REGION, endpoint, forcePathStyle: true, credentials: KEYS });
  return {
    endpoint,
    ...KEYS,
    region: REGION,
    folder,
    pid: child.pid ?? 0,
    createBucket: async (name) => {
      await client.send(new CreateBucketCommand({ Bucket: name }));
      const versioning = { Bucket: name, VersioningConfiguration: { Status: 'Enabled' as const } };
      if (options.versioned) await client.send(new PutBucketVersioningCommand(versioning));
    },
    close: async () => {
      client.destroy();
      await ended(child);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Others may take the port between its choice and the server's start. */
const PORTS_TRIED = 5;
const ANSWERS_WITHIN_MS = 30_000;

async function startedOnFreePort(backend: readonly string[]): Promise<{ child: ChildProcess; endpoint: string }> {
  let told = '';
  for (let tried = 0; tried < PORTS_TRIED; tried++) {
    const address = `127.0.0.1:${await freePort()}`;
    const environment = { ROOT_ACCESS_KEY_ID: KEYS.accessKeyId, ROOT_SECRET_ACCESS_KEY: KEYS.secretAccessKey };
    const child = spawn(BINARY, ['--port', address, '--region', REGION, '--keep-alive', '--quiet', ...backend], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    child.stderr?.on('data', (chunk: Buffer) => (told += chunk.toString()));
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    child.once('error', (error) => (told += error.message));
    if (await answers(child, `http://${address}`)) return { child, endpoint: `http://${address}` };
    await ended(child);
  }
  throw new Error(`versitygw does not answer: ${told}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @returns whether it answers; false as soon as it has ended. */
async function answers(child: ChildProcess, endpoint: string): Promise<boolean> {
  const until = performance.now() + ANSWERS_WITHIN_MS;
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined && performance.now() < until) {
    try {
      const { headers, body } = await request(endpoint);
      await body.dump();
      if (String(headers['server']).toUpperCase().includes('VERSITY')) return true;
    } catch {
      await delay(20);
    }
  }
  return false;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
