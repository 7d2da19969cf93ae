import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { seededRandom } from '../../src/store/faulty.ts';
import { getJson } from '../../src/store/json.ts';
import { type ProxyFaults, type S3Proxy, startS3Proxy } from '../support/s3-proxy.ts';
import { commandedClock } from './clocks.ts';
import { openS3, type S3Account } from './s3-clients.ts';
import { judgeEntries, judgeSlots } from './told-truth.ts';
import { LEDGER, type Ledger, type Told, type WriterJob, writeAndTell } from './writer.ts';

/**
 * One run: writers of one ledger and of the same slots, each behind a bad network of its own, on a real server; one or two of them are
 * processes that are killed at a random request. Afterwards the server alone is asked whether what each was told is true.
 */
export interface KillRun {
  readonly seed: number;
  /** An empty prefix of it is used. */
  readonly bucket: string;
  /** Processes among the writers; each is killed. */
  readonly processes: number;
}

export interface RunOutcome {
  /** What is not as it was told; empty where all is well. */
  readonly wrong: readonly string[];
  readonly entered: number;
  readonly created: number;
  /** Writes of which nobody was told the outcome: their answers were lost, or their writer killed. */
  readonly unknown: number;
  readonly killed: number;
  readonly requests: number;
  readonly faults: Readonly<Record<string, number>>;
}

const CLIENTS = 3;
const ENTRIES = 5;
const SLOTS = 4;
/** A writer that meets no fault makes about so many requests. */
const LAST_KILL = 20;
const FAULTS = 'throttled failed collided reset cut lost stalled late truncated slow'.split(' ') as (keyof ProxyFaults)[];

interface Place {
  readonly account: S3Account;
  readonly bucket: string;
  readonly prefix: string;
}

interface Writing {
  readonly told: readonly Told[];
  readonly proxy: S3Proxy;
  readonly killed: boolean;
}

export async function killRun(account: S3Account, { seed, bucket, processes }: KillRun): Promise<RunOutcome> {
  const random = seededRandom(seed);
  const folder = await mkdtemp(join(tmpdir(), 'kill-run-'));
  const prefix = `run-${seed}`;
  const place = { account, bucket, prefix };
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  if (processes === 0) begin();
  const writers = Array.from({ length: CLIENTS + processes }, (_, i) => {
    const job = { name: `w${i}`, seed: Math.floor(random() * 2 ** 31), entries: ENTRIES, slots: SLOTS, folder };
    const faults = faultsOf(random);
    const killAt = 1 + Math.floor(random() * LAST_KILL);
    return i < CLIENTS ? inProcess(place, job, faults, begun) : asProcess(place, job, faults, killAt, begin);
  });
  const writings = await Promise.all(writers);
  await rm(folder, { recursive: true });
  const { store, close } = openS3(account, { bucket, prefix });
  const told = writings.flatMap((writing) => writing.told);
  const ledger = (await getJson<Ledger>(store, LEDGER))?.value ?? { seq: 0, applied: [] };
  const wrong = [...judgeEntries(ledger, told), ...(await judgeSlots(store, told))];
  await close();
  return { wrong, ...summed(writings) };
}

/** Every network is bad in ways of its own: some faults never, some often. */
function faultsOf(random: () => number): ProxyFaults {
  return Object.fromEntries(FAULTS.map((fault) => [fault, random() < 0.5 ? 0 : random() * 0.08]));
}

async function inProcess({ account, bucket, prefix }: Place, job: WriterJob, faults: ProxyFaults, begun: Promise<void>): Promise<Writing> {
  const told: Told[] = [];
  const clock = commandedClock();
  const proxy = await startS3Proxy(account.endpoint, { seed: job.seed, faults, onStall: clock.elapse });
  const { store, close } = openS3({ ...account, endpoint: proxy.endpoint }, { bucket, prefix, clock, seed: job.seed });
  await begun;
  await writeAndTell(store, job, (each) => told.push(each));
  await close();
  await proxy.close();
  return { told, proxy, killed: false };
}

/** @param killAt the request at which it is killed: what becomes of that request is the proxy's business. */
async function asProcess(place: Place, job: WriterJob, faults: ProxyFaults, killAt: number, begin: () => void): Promise<Writing> {
  const proxy = await startS3Proxy(place.account.endpoint, { seed: job.seed, faults });
  const child = startWriter(place, proxy.endpoint, job);
  proxy.watch(() => {
    begin();
    if (proxy.requests() === killAt) child.kill('SIGKILL');
  });
  const ended = new Promise<NodeJS.Signals | number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  const told: Told[] = [];
  for await (const line of createInterface({ input: child.stdout })) told.push(JSON.parse(line) as Told);
  const end = await ended;
  if (end !== 0 && end !== 'SIGKILL') throw new Error(`writer ${job.name} with seed ${job.seed} ended with ${end}`);
  await proxy.close();
  return { told, proxy, killed: end === 'SIGKILL' };
}

function startWriter({ account, bucket, prefix }: Place, endpoint: string, job: WriterJob): ChildProcessByStdio<null, Readable, null> {
  const config = { kind: 's3', bucket, prefix, region: account.region, endpoint, pathStyle: true };
  const script = join(import.meta.dirname, 'processes/write-and-tell.ts');
  return spawn(process.execPath, [script, JSON.stringify(config), JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      AWS_ACCESS_KEY_ID: account.accessKeyId,
      AWS_SECRET_ACCESS_KEY: account.secretAccessKey,
      NODE_COMPILE_CACHE: join(tmpdir(), 'tidemark-compile-cache'),
    },
  });
}

function summed(writings: readonly Writing[]): Omit<RunOutcome, 'wrong'> {
  const told = writings.flatMap((writing) => writing.told);
  const count = (did: Told['did']): number => told.filter((each) => each.did === did).length;
  const faults: Record<string, number> = {};
  for (const { proxy } of writings) for (const [fault, times] of Object.entries(proxy.counts)) faults[fault] = (faults[fault] ?? 0) + times;
  return {
    entered: count('entered'),
    created: count('created'),
    unknown: count('began') - count('entered') - count('refused') - count('created') - count('found'),
    killed: writings.filter(({ killed }) => killed).length,
    requests: writings.reduce((sum, { proxy }) => sum + proxy.requests(), 0),
    faults,
  };
}
