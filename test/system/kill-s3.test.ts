import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { said } from '../support/tidemark.ts';
import { describeOnVersitygw, startVersitygw, type Versitygw } from '../support/versitygw.ts';
import { dyingAt } from './dying.ts';
import { expectSameTable, killBy } from './killing.ts';
import { beforeLastRun, LAST_RUN, runUndisturbed, type Undisturbed } from './undisturbed.ts';
import { NOW } from './world.ts';

const SEED = 11;
/** The network of every process, of those that are not killed too. Pauses between attempts are real here, so that there is little of it. */
const FAULTS = { lost: 0.02, cut: 0.02, truncated: 0.02, slow: 0.02, throttled: 0.01, failed: 0.01, collided: 0.01, reset: 0.01 };

/** Three moments a world: what has just been put into the bucket, or is about to be (processes/die-at-s3.ts), or a statement. */
const WORLDS = [
  ['before 1 page-000001\\.json\\.zst', 'after 2 receipt\\.json', 'after 1 records\\.ndjson\\.zst'],
  ['after 2 manifest\\.json', 'after 1 part-.*\\.parquet', 'after 3 ^COMMIT'],
] as const;

describeOnVersitygw('on a real S3 server behind a bad network', () => {
  let server: Versitygw;
  let undisturbed: Undisturbed;
  beforeAll(async () => {
    server = await startVersitygw();
  });
  beforeAll(async () => {
    undisturbed = await runUndisturbed(SEED, { server, faults: FAULTS });
  });
  afterAll(() => server.close());
  afterAll(() => rm(undisturbed.template, { recursive: true, force: true }));

  test.concurrent.for(WORLDS)('R11, R12, R20: a rerun puts right what a process leaves that is killed: %s, %s, %s', async (moments) => {
    const world = await beforeLastRun(undisturbed);
    try {
      for (const moment of moments) {
        const ended = await world.run(NOW, LAST_RUN, dyingAt(moment, 'SIGKILL', true));
        expect(ended.signal, `DIE_AT="${moment}"\n${said(ended)}`).toBe('SIGKILL');
      }
      await expectSameTable(world, undisturbed, `killed at ${moments.join(', then ')}`);
    } finally {
      await world.close();
    }
  });

  test.concurrent('R17: doctor, run, verify and a replay of the bucket work as they are configured', async () => {
    const world = await beforeLastRun(undisturbed);
    try {
      const prefix = `s3://${world.bucket?.name}/landing/raw/v1/payments/`;
      // The partner may fail when the doctor asks it: that is not the bucket's fault.
      expect((await world.run(NOW, ['doctor'])).stdout).toMatch(/^ok +store +s3:/m);
      for (const given of [LAST_RUN, ['verify'], ['replay', '--stream', 'payments', '--prefix', prefix]]) {
        const ended = await world.run(NOW, given);
        expect(ended.code, said(ended)).toBe(0);
      }
      await expectSameTable(world, undisturbed, `after a replay of ${prefix}`);
    } finally {
      await world.close();
    }
  });

  test.concurrent('R11, R12, R20: a rerun puts right what a process leaves that is killed from outside, wherever it is', async () => {
    const world = await beforeLastRun(undisturbed);
    try {
      let killed = 0;
      for (const share of [0.6, 0.3]) if (await killBy(world, Math.round(undisturbed.signs * share))) killed += 1;
      expect(killed).toBe(2);
      await expectSameTable(world, undisturbed, `killed from outside at shares of ${undisturbed.signs} signs`);
    } finally {
      await world.close();
    }
  });
});
