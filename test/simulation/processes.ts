import { setTimeout as delay } from 'node:timers/promises';
import { type Micros, systemClock } from '../../src/clock.ts';
import { isProved } from '../../src/demo/proof.ts';
import { DAY, formatInstant, HOUR } from '../../src/time.ts';
import { said } from '../support/tidemark.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';
import { Dice } from './dice.ts';

/**
 * `node test/simulation/processes.ts MINUTES [SEED]`: three workers on one stream and a backfill of it, as processes, against a partner
 * over HTTP; each is killed at random moments and started again. Then the backfill and one run go through, `verify` is clean, and the
 * table is the truth.
 */
const [minutes = '10', seed = '1'] = process.argv.slice(2);
const WORKERS = 3;
/** So much of the partner's time passes meanwhile. */
const SPAN = 6 * HOUR;
const LONGEST_LIFE_MS = 20_000;
const STREAM = ['--stream', 'payments'] as const;

interface Tally {
  runs: number;
  kills: number;
}

const WORK = ['run', '--once', ...STREAM] as const;
const BACKFILL = [
  'backfill',
  ...STREAM,
  '--from',
  formatInstant(NOW - SPAN - DAY),
  '--to',
  formatInstant(NOW - SPAN),
  '--parallel',
  '2',
] as const;

async function disturb(
  world: TestWorld,
  job: readonly string[],
  name: string,
  until: number,
  tally: Tally,
  now: () => Micros,
): Promise<void> {
  const dice = new Dice(`${seed}/${name}`);
  while (systemClock.monotonicMs() < until) {
    const running = world.start(now(), job);
    const dying = new AbortController();
    const kill = delay(dice.spread(300, LONGEST_LIFE_MS), undefined, { signal: dying.signal }).then(
      () => running.kill('SIGKILL'),
      () => undefined,
    );
    const ended = await running.ended;
    dying.abort();
    await kill;
    tally.runs += 1;
    if (ended.signal === 'SIGKILL') tally.kills += 1;
  }
}

const world = await openWorld({ seed: Number(seed) });
const began = systemClock.monotonicMs();
const lengthMs = Number(minutes) * 60_000;
const now = (): Micros => NOW - SPAN + Math.round(Math.min(1, (systemClock.monotonicMs() - began) / lengthMs) * SPAN);
const tally: Tally = { runs: 0, kills: 0 };
const jobs = [
  ...Array.from({ length: WORKERS }, (_, worker) => ({ job: WORK, name: `worker ${worker}` })),
  { job: BACKFILL, name: 'backfill' },
];
await Promise.all(jobs.map(({ job, name }) => disturb(world, job, name, began + lengthMs, tally, now)));
const pulled = await world.run(NOW, [...BACKFILL]);
const last = await world.run(NOW, ['run', '--once', '--sweep', ...STREAM]);
const verified = await world.run(NOW, ['verify', ...STREAM]);
const proof = (await world.prove())['payments'];
await world.close();

const holds = pulled.code === 0 && last.code === 0 && verified.code === 0 && proof !== undefined && isProved(proof);
process.stdout.write(
  `${tally.runs} runs of ${jobs.length} processes, ${tally.kills} of them killed: ${holds ? 'verify is clean, the table is the truth' : 'VIOLATED'}\n`,
);
if (!holds) process.stdout.write(`seed ${seed}\n${said(pulled)}\n${said(last)}\n${said(verified)}\n${JSON.stringify(proof)}\n`);
process.exit(holds ? 0 : 1);
