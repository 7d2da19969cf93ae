import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/log.ts';
import type { Window } from '../../src/manifest/documents.ts';
import { beginWindow, takeOver } from '../../src/manifest/head.ts';
import { type HolderInfo, thisProcess } from '../../src/manifest/holder.ts';
import { acquireLease, LEASE, type Lease, type LeaseOptions } from '../../src/manifest/lease.ts';
import { readHead, updateHead } from '../../src/manifest/state.ts';
import { faultyStore } from '../../src/store/faulty.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { VirtualClock } from './virtual-clock.ts';

const MINUTE = 60_000;
const window: Window = { start: 0, end: 1, kind: 'backfill' };
const elsewhere = (name: string): HolderInfo => ({ id: `boot:1:1:1:${name}`, host: `host-${name}`, pid: 1 });

describe('the lease on a stream', () => {
  let store: ObjectStore;
  let clock: VirtualClock;
  let leases: Lease[];

  beforeEach(() => {
    store = memoryStore();
    clock = new VirtualClock();
    leases = [];
  });
  afterEach(async () => {
    for (const lease of leases) await lease.release().catch(() => undefined);
  });

  const acquire = async (name: string, options: Partial<LeaseOptions> = {}): Promise<Lease> => {
    const lease = await acquireLease({
      store,
      stream: 'payments',
      clock,
      log: silentLog,
      holder: elsewhere(name),
      randomId: randomUUID,
      wait: false,
      ...options,
    });
    leases.push(lease);
    return lease;
  };
  const head = async (): Promise<unknown> => (await readHead(store, 'payments'))?.head;
  /** A holder that took the stream and never spoke again. */
  const abandonedBy = (holder: HolderInfo): Promise<unknown> =>
    updateHead(store, 'payments', takeOver({ ...holder, beat: 0 }), null, { clock, randomId: randomUUID });

  it('raises the epoch before anything else and names its holder', async () => {
    const lease = await acquire('a');
    expect(lease.epoch).toBe(1);
    expect(lease.head()).toMatchObject({ epoch: 1, holder: { host: 'host-a' } });
    await lease.release();
    expect(await head()).toMatchObject({ epoch: 1, holder: null });
    expect((await acquire('b')).epoch).toBe(2);
  });

  it('is refused while another holds it, with who that is', async () => {
    await acquire('a');
    await expect(acquire('b')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'stream payments is held by host-a (process 1)',
      transient: true,
    });
    expect(await head()).toMatchObject({ epoch: 1 });
  });

  it('is taken over after 60 s of silence on the own clock of whoever waits, whatever the wall clock says', async () => {
    await abandonedBy(elsewhere('a'));
    clock.wall = 5e15;
    let taken: Lease | null = null;
    const waiting = acquire('b', { wait: true }).then((lease) => (taken = lease));
    await clock.advance(LEASE.lengthMs - 1);
    clock.wall = 0;
    expect(taken).toBeNull();
    await clock.advance(1);
    expect((await waiting).epoch).toBe(2);
  });

  it('is kept for as long as it is renewed, and passes on at once when it is released', async () => {
    const first = await acquire('a');
    let taken: Lease | null = null;
    const waiting = acquire('b', { wait: true }).then((lease) => (taken = lease));
    await clock.advance(30 * MINUTE);
    expect(taken).toBeNull();
    await first.update(beginWindow(window));
    expect(first.lost.aborted).toBe(false);
    await first.release();
    await clock.advance(LEASE.lookMs);
    expect((await waiting).epoch).toBe(2);
    expect((await waiting).head().open).toEqual([window]);
  });

  it('stops waiting when it is told to', async () => {
    await acquire('a');
    const stop = new AbortController();
    const waiting = acquire('b', { wait: true, signal: stop.signal });
    const rejected = expect(waiting).rejects.toThrow('stopped');
    await clock.advance(MINUTE);
    stop.abort(new Error('stopped'));
    await rejected;
  });

  it('tells a holder that was taken over, refuses its changes, and leaves the new holder alone', async () => {
    const former = await acquire('a');
    await abandonedBy(elsewhere('b'));
    await expect(former.update(beginWindow(window))).rejects.toMatchObject({
      code: 'FENCED',
      message: expect.stringContaining('by host-b'),
    });
    expect(former.lost.aborted).toBe(true);
    expect(former.lost.reason).toMatchObject({ code: 'FENCED' });
    await former.release();
    expect(await head()).toMatchObject({ epoch: 2, holder: { host: 'host-b' }, open: [] });
  });

  it('tells a holder that does nothing at its next renewal', async () => {
    const former = await acquire('a');
    await abandonedBy(elsewhere('b'));
    await clock.advance(LEASE.renewMs);
    expect(former.lost.reason).toMatchObject({ code: 'FENCED' });
  });

  it('tells a holder that the store stayed away for the length of the lease', async () => {
    const away = faultyStore(store, { seed: 1, failures: 1 });
    let current = store;
    const switched: ObjectStore = { ...store, get: (key) => current.get(key) };
    const lease = await acquire('a', { store: switched });
    current = away;
    await clock.advance(LEASE.lengthMs - 1);
    expect(lease.lost.aborted).toBe(false);
    await clock.advance(2 * LEASE.renewMs);
    expect(lease.lost.reason).toMatchObject({ code: 'STORE', transient: true });
    await expect(lease.update(beginWindow(window))).rejects.toMatchObject({ code: 'STORE' });
  });

  it('survives a store that fails and loses answers now and then', async () => {
    const lease = await acquire('a', { store: faultyStore(store, { seed: 9, failures: 0.05, lostAnswers: 0.05 }) });
    await clock.advance(60 * MINUTE);
    expect(lease.lost.aborted).toBe(false);
    expect(await head()).toMatchObject({ epoch: 1, holder: { host: 'host-a' } });
  });

  it('makes the changes of one holder one after the other, each once', async () => {
    const lease = await acquire('a');
    const windows = Array.from({ length: 20 }, (_, i): Window => ({ start: i, end: i + 1, kind: 'backfill' }));
    await Promise.all(windows.map((each) => lease.update(beginWindow(each))));
    expect(await head()).toMatchObject({ seq: 21, open: windows });
  });

  it('never has two takers in one epoch, whoever waits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 2, maxLength: 5 }), async (pauses) => {
        store = memoryStore();
        clock = new VirtualClock();
        const taken: Lease[] = [];
        const waiting = pauses.map(async (pause, i) => {
          const lease = await acquire(`w${i}`, { wait: true });
          taken.push(lease);
          // Some hold long, and are to be kept; all let go in the end.
          await clock.sleep(pause);
          expect(lease.lost.aborted).toBe(false);
          await lease.release();
        });
        for (let i = 0; i < pauses.length; i++) await clock.advance(100_000);
        await Promise.all(waiting);
        expect(taken.map((lease) => lease.epoch)).toEqual(pauses.map((_, i) => i + 1));
      }),
      { numRuns: 10 },
    );
  });

  describe('held by a process of this machine', () => {
    let child: ChildProcess;
    let holder: HolderInfo;
    const self = (): HolderInfo => thisProcess(randomUUID);

    beforeEach(async () => {
      child = spawn(process.execPath, [join(import.meta.dirname, 'processes/say-who.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
      if (!child.stdout) throw new Error('the process has no output');
      const [said] = (await once(child.stdout, 'data')) as [Buffer];
      holder = JSON.parse(said.toString()) as HolderInfo;
      await abandonedBy(holder);
    });
    afterEach(() => {
      child.kill('SIGKILL');
    });

    it('is left to it while that lives', async () => {
      await expect(acquire('b', { holder: self() })).rejects.toMatchObject({ code: 'CONFLICT' });
    });

    it('R20: is taken over at once when that was killed', async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      expect((await acquire('b', { holder: self() })).epoch).toBe(2);
    });

    it.runIf(process.platform === 'linux')('is taken over at once when its pid now belongs to another process', async () => {
      const [boot, namespace, pid] = holder.id.split(':');
      await abandonedBy({ ...holder, id: [boot, namespace, pid, '1', 'dead'].join(':') });
      expect((await acquire('b', { holder: self() })).epoch).toBe(3);
    });

    it('is not judged by its pid from another machine', async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await expect(acquire('b', { holder: { ...self(), host: 'another' } })).rejects.toMatchObject({ code: 'CONFLICT' });
    });
  });
});
