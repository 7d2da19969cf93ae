import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { thisProcess } from '../../src/manifest/holder.ts';
import { acquireLease, LEASE } from '../../src/manifest/lease.ts';
import { type Running, said } from '../support/tidemark.ts';
import { dyingAt } from './dying.ts';
import { beforeLastRun, expectExact, imageIn, LAST_RUN, runUndisturbed, type Undisturbed } from './undisturbed.ts';
import { NOW, type TestWorld } from './world.ts';

let undisturbed: Undisturbed;
beforeAll(async () => {
  undisturbed = await runUndisturbed(21);
});
afterAll(() => rm(undisturbed.template, { recursive: true, force: true }));

/** An observer to whom a minute is nothing: a lease is judged by the clock of whoever waits for it. */
function impatientClock(): Clock {
  let ms = 0;
  return {
    now: () => systemClock.now(),
    monotonicMs: () => ms,
    sleep: async (wait) => {
      ms += wait;
    },
  };
}

/** Takes a stream from its holder once that has been silent for the lease's length, and lets go of it again. */
async function takeOver(world: TestWorld, stream: string): Promise<{ epoch: number; waitedMs: number }> {
  const clock = impatientClock();
  const options = { store: world.store, stream, log: silentLog, holder: thisProcess(randomUUID), randomId: randomUUID, wait: true };
  const lease = await acquireLease({ ...options, clock: { ...clock, sleep: (ms, signal) => (signal ? holdOn(signal) : clock.sleep(ms)) } });
  const waitedMs = clock.monotonicMs();
  await lease.release();
  return { epoch: lease.epoch, waitedMs };
}

/** The pauses between renewals, which need not come: the lease is released first. */
const holdOn = (signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** Stops a run in the middle of a window, as a machine that freezes does. */
function startAndFreeze(world: TestWorld, stream: string): { run: Running; frozen: Promise<unknown> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const freezing = dyingAt('after 1 page-00000[2-9]\\.json\\.zst', 'SIGSTOP');
  const note = (text: string): void => (text === 'SIGSTOP now' ? resolve() : undefined);
  const run = world.start(NOW, [...LAST_RUN, '--stream', stream], { ...freezing, note });
  const missed = run.ended.then((ended) => Promise.reject(new Error(`it ended without having been frozen\n${said(ended)}`)));
  missed.catch(() => undefined);
  return { run, frozen: Promise.race([promise, missed]) };
}

describe('R12, R20: two processes on one stream', () => {
  test('one that froze in the middle of a window, and wakes up after another has taken over, commits nothing and says so', async () => {
    const world = await beforeLastRun(undisturbed);
    const { run: zombie, frozen } = startAndFreeze(world, 'payments');
    try {
      await frozen;
      const taken = await takeOver(world, 'payments');
      expect(taken.waitedMs).toBeGreaterThanOrEqual(LEASE.lengthMs);
      const second = await world.run(NOW, LAST_RUN);
      expect(second.code, said(second)).toBe(0);
      await expectExact(world, 'after the second process');

      zombie.kill('SIGCONT');
      const ended = await zombie.ended;
      expect(ended.code, said(ended)).toBe(1);
      expect(ended.stdout, said(ended)).toMatch(/payments was taken over.*: this process held epoch \d+, the stream is at \d+/);
      expect(ended.stdout).toContain('What this process landed is kept');
      await expectExact(world, 'after the first process woke up');
      expect(await imageIn(world)).toEqual(undisturbed.image);

      const third = await world.run(NOW, LAST_RUN);
      expect(third.code, said(third)).toBe(0);
      expect(await imageIn(world), 'after one more sweep').toEqual(undisturbed.image);
    } finally {
      zombie.kill('SIGKILL');
      await world.close();
    }
  });

  test('both started at once: one waits for the other, both end well, and the table is exact', async () => {
    const world = await beforeLastRun(undisturbed);
    try {
      const runs = await Promise.all([world.run(NOW, LAST_RUN), world.run(NOW, LAST_RUN)]);
      for (const run of runs) expect(run.code, said(run)).toBe(0);
      const epochs = runs.flatMap((run) =>
        run.log.filter((line) => line.msg === 'lease taken').map((line) => `${line.stream} ${String(line['epoch'])}`),
      );
      expect(new Set(epochs).size, 'no epoch is held twice').toBe(epochs.length);
      await expectExact(world, 'two at once');
      expect(await imageIn(world)).toEqual(undisturbed.image);
    } finally {
      await world.close();
    }
  });
});
