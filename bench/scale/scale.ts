import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { batchPrefix } from '../../src/store/keys.ts';
import { openStore } from '../../src/store/open.ts';
import { type Measured, runStage } from '../child.ts';
import { type Bench, runBench, wholeNumber } from '../command.ts';
import { describeMachine } from '../machine.ts';
import { batchesFile, type Job, openJob, storeFolder, THREADS } from '../setup.ts';
import { fetchFromPartner, type Measurements, type Normalized } from '../stages.ts';
import { projection } from './projection.ts';

/** How time and memory grow with the number of events, and how the work divides among processes that know nothing of each other. */
interface Options {
  readonly sizes: readonly number[];
  readonly seed: number;
}

const SHARDS = [1, 2, 4] as const;
const BARS = { peakBytes: 1.5 * 2 ** 30, growth: 1.05 } as const;
/** Pages with their indexes, spilled files and the Parquet of one size. */
const BYTES_AN_EVENT = 1400;

const HELP = `bench/run scale [--events N,N,…] [--seed N]

  Normalizes more and more events, and shows time and memory; then replays the fewest of them in ${SHARDS.join(', ')} shard processes of one
  thread each, loads what each way made, and compares the tables. Projects a replay of 3.6 billion events from what one thread did.
  --events N,N,…  default 2000000,8000000,20000000
  --seed N        another workload; default 7
`;

interface Sized {
  readonly events: number;
  readonly normalize: Measured<Normalized>;
}

interface Sharded {
  readonly shards: number;
  /** From the first one's start to the last one's end, by the longest. */
  readonly seconds: number;
  readonly parts: readonly Measured<Normalized>[];
  readonly table: { readonly rows: number; readonly hash: string };
}

const scale: Bench<Options> = {
  name: 'bench scale',
  help: HELP,
  parse: (args) => {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args: [...args], options: { events: text, seed: text, help: { type: 'boolean', default: false } } });
    if (values.help) return null;
    const sizes = (values.events ?? '2000000,8000000,20000000').split(',').map((size) => wholeNumber('--events', size, 0, 1000));
    return { sizes: sizes.toSorted((a, b) => a - b), seed: wholeNumber('--seed', values.seed, 7, 0) };
  },
  bytes: ({ sizes }) => Math.max(...sizes) * BYTES_AN_EVENT,
  run: async (folder, { sizes, seed }, say) => {
    const machine = await describeMachine(folder);
    const sized: Sized[] = [];
    let sharded: Sharded[] = [];
    for (const [order, events] of sizes.entries()) {
      const job = { workload: { seed, events }, folder: join(folder, String(events)), partnerUrl: 'http://127.0.0.1:9' };
      say(`fetching ${events.toLocaleString('en')} events`);
      await openJob(job);
      await fetchFromPartner(job);
      say('normalizing them');
      sized.push({ events, normalize: await runStage('stage-normalize.ts', job) });
      if (order === 0) sharded = await inShards(job, say);
      await rm(job.folder, { recursive: true });
    }
    process.stdout.write(`\n${screen(machine, sized, sharded)}`);
    return isRight(sized, sharded) ? 0 : 1;
  },
};

async function inShards(job: Job, say: (doing: string) => void): Promise<Sharded[]> {
  const found: Sharded[] = [];
  for (const shards of SHARDS) {
    say(`replaying them in ${shards === 1 ? 'one process' : `${shards} shard processes`}`);
    await rm(join(storeFolder(job), 'curated'), { recursive: true, force: true });
    const parts = await Promise.all(
      Array.from({ length: shards }, (_, index) =>
        runStage<Normalized>('scale/stage-shard.ts', { ...job, threads: 1 }, String(index), String(shards)),
      ),
    );
    await noteBatches(job);
    await runStage('stage-load.ts', job);
    const table: Measurements['table'] = await runStage('stage-hash.ts', job);
    found.push({ shards, seconds: Math.max(...parts.map(({ seconds }) => seconds)), parts, table: table.result });
  }
  return found;
}

/** What all shards published, for the load: in the order of their names, which says nothing of who made them. */
async function noteBatches(job: Job): Promise<void> {
  const { configuration, stream } = await openJob(job);
  const store = await openStore(configuration.store);
  const ids: string[] = [];
  const [before = '', after = ''] = batchPrefix(stream.name, '\n').split('\n');
  for await (const { key } of store.list(before)) {
    if (key.endsWith(`${after}batch.json`)) ids.push(key.slice(before.length, -`${after}batch.json`.length));
  }
  await writeFile(batchesFile(job), JSON.stringify(ids));
}

function screen(machine: string, sized: readonly Sized[], sharded: readonly Sharded[]): string {
  const [first] = sized;
  const [one] = sharded;
  if (!first || !one) throw new Error('nothing was measured');
  const events = first.events;
  return `${[
    `machine    ${machine}`,
    '',
    `normalize, ${THREADS} threads`,
    ...sized.map((size) => {
      const { seconds, cpuSeconds, peakBytes } = size.normalize;
      const each = seconds / size.events / (first.normalize.seconds / first.events);
      const grows =
        size === first
          ? ''
          : `, ${each.toFixed(2)} of the time an event of the fewest; bar ${BARS.growth}: ${verdict(each <= BARS.growth)}`;
      return `  ${count(size.events).padStart(11)} events   ${seconds.toFixed(1).padStart(6)} s   ${count(size.events / seconds).padStart(8)} events/s   ${((cpuSeconds / size.events) * 1e6).toFixed(1).padStart(5)} CPU s/M   ${count(peakBytes / 2 ** 20).padStart(6)} MiB; bar 1,536: ${verdict(peakBytes <= BARS.peakBytes)}${grows}`;
    }),
    '',
    `replay of ${count(events)} events in shard processes of one thread`,
    ...sharded.map(
      ({ shards, seconds, table }) =>
        `  ${shards}   ${seconds.toFixed(1).padStart(6)} s   ${count(events / seconds).padStart(8)} events/s   ${(one.seconds / seconds).toFixed(2)} × one   table of ${count(table.rows)} rows, hash ${table.hash}${table.hash === one.table.hash ? '' : ': NOT THE SAME'}`,
    ),
    '',
    ...projection(events / one.seconds),
  ].join('\n')}\n`;
}

function isRight(sized: readonly Sized[], sharded: readonly Sharded[]): boolean {
  const isWhole = (events: number, parts: readonly Measured<Normalized>[]): boolean =>
    parts.reduce((sum, { result }) => sum + result.observations, 0) === events && parts.every(({ result }) => result.quarantined === 0);
  return (
    sized.every(({ events, normalize }) => isWhole(events, [normalize])) &&
    sharded.every(({ parts, table }) => isWhole(sized[0]?.events ?? 0, parts) && table.hash === sharded[0]?.table.hash)
  );
}

const verdict = (holds: boolean): string => (holds ? 'ok' : 'MISSED');
const count = (value: number): string => Math.round(value).toLocaleString('en');

process.exitCode = await runBench(scale, process.argv.slice(2));
