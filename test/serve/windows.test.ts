import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/log.ts';
import type { Head } from '../../src/manifest/documents.ts';
import { beginWindow, commitWindow } from '../../src/manifest/head.ts';
import { acquireLease } from '../../src/manifest/lease.ts';
import { readManifest } from '../../src/manifest/manifests.ts';
import { pushWindows } from '../../src/manifest/pushes.ts';
import { readHead, updateHead } from '../../src/manifest/state.ts';
import { commitAbandoned } from '../../src/serve/commit-pushes.ts';
import type { ServeEffects } from '../../src/serve/effects.ts';
import { createPushWindows, type PushWindows } from '../../src/serve/push-window.ts';
import { measurePush, type Push } from '../../src/serve/pushed-body.ts';
import { readBody } from '../../src/store/compress.ts';
import { faultyStore } from '../../src/store/faulty.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import type { Listen, Stream } from '../../src/stream.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { effectsOn, listening, NOW, otherMachine, record, type TestClock } from './support.ts';

const stream: Stream = listening();

function push(id: string): Push {
  const page = measurePush(stream, Buffer.from(record(id)));
  return { page, delivery: { id, sha256: page.sha256, bytes: page.body.length, records: 1, receivedAt: NOW } };
}

const listenerOn = (effects: ServeEffects): PushWindows => createPushWindows(effects, stream, stream.listen as Listen);

const headIn = async (store: ObjectStore): Promise<Head | null> => (await readHead(store, stream.name))?.head ?? null;

/** The records of every committed window, and how many windows those are. */
async function committed(store: ObjectStore): Promise<{ records: string[]; windows: number }> {
  const pending = (await headIn(store))?.pending ?? [];
  const manifests = await Promise.all(pending.map(({ manifest }) => readManifest(store, manifest)));
  const bodies = await Promise.all(manifests.flatMap(({ pages }) => pages).map(({ key }) => readBody(store, key)));
  const ids = bodies.map((body) => (JSON.parse(String(body)) as { event_id: string }).event_id);
  return { records: ids.sort(), windows: pending.length };
}

describe('R26: what was acknowledged is committed, whoever dies', () => {
  test('a listener that is heard of no more has its window committed by whoever looks, and not before', async () => {
    const store = memoryStore();
    const time: TestClock = { now: NOW };
    await listenerOn(effectsOn(store, time)).land([push('a')]);
    await listenerOn(effectsOn(store, time)).land([push('b')]);
    const observer = effectsOn(store, time);
    expect(await commitAbandoned(observer, stream)).toBe(0);
    time.now = NOW + 50_000_000 + MINUTE;
    expect(await commitAbandoned(observer, stream)).toBe(2);
    expect(await committed(store)).toEqual({ records: ['a', 'b'], windows: 2 });
    expect(await commitAbandoned(observer, stream)).toBe(0);
    expect(pushWindows((await headIn(store)) as Head)).toEqual({ epoch: 2, open: [] });
  });

  test('a listener that was only frozen lands elsewhere what comes after it was taken for gone', async () => {
    const store = memoryStore();
    const time: TestClock = { now: NOW };
    const frozen = listenerOn(effectsOn(store, time));
    await frozen.land([push('a')]);
    await commitAbandoned(effectsOn(store, { now: NOW + HOUR }), stream);
    await frozen.land([push('b')]);
    await frozen.commit('now');
    expect(await committed(store)).toEqual({ records: ['a', 'b'], windows: 2 });
  });

  test('a page that lands while another process lists the window is not acknowledged there', async () => {
    const store = memoryStore();
    const frozen = listenerOn(effectsOn(store));
    await frozen.land([push('a')]);
    let woken = false;
    const slow: ObjectStore = {
      ...store,
      create: async (key, body) => {
        if (key.endsWith('manifest.json') && !woken) {
          woken = true;
          await frozen.land([push('b')]);
        }
        return store.create(key, body);
      },
    };
    await commitAbandoned(effectsOn(slow, { now: NOW + HOUR }), stream);
    expect(woken).toBe(true);
    await frozen.commit('now');
    expect(await committed(store)).toEqual({ records: ['a', 'b'], windows: 2 });
  });

  test('the listener and somebody who takes it for gone commit one window once', async () => {
    const store = memoryStore();
    const listener = listenerOn(effectsOn(store));
    await listener.land([push('a')]);
    await Promise.all([listener.commit('now'), commitAbandoned(effectsOn(store, { now: NOW + HOUR }), stream)]);
    await commitAbandoned(effectsOn(store, { now: NOW + HOUR }), stream);
    expect(await committed(store)).toEqual({ records: ['a'], windows: 1 });
  });

  test('whatever call to the store it dies at, what it acknowledged is committed by the next, once', async () => {
    const told: string[] = [];
    let acknowledgedAtAll = 0;
    for (const moment of ['before', 'after'] as const) {
      for (let call = 1, dead = true; dead; call++) {
        const inner = memoryStore();
        const store = faultyStore(inner, { seed: 1, death: { call, moment } });
        const acknowledged = await workUntilDead(listenerOn(effectsOn(store)), ['a', 'b', 'c']);
        dead = store.dead();
        acknowledgedAtAll += acknowledged.length;
        await commitAbandoned(effectsOn(inner, { now: NOW + HOUR }), stream);
        const { records } = await committed(inner);
        const lost = acknowledged.filter((id) => !records.includes(id));
        if (lost.length > 0 || new Set(records).size < records.length)
          told.push(`${moment} ${call}: lost ${lost.join()}, has ${records.join()}`);
      }
    }
    expect(told).toEqual([]);
    expect(acknowledgedAtAll).toBeGreaterThan(20);
  });

  test('a store that fails and loses answers acknowledges nothing that is not committed in the end', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const inner = memoryStore();
      const store = faultyStore(inner, { seed, failures: 0.08, lostAnswers: 0.08 });
      const listener = listenerOn(effectsOn(store));
      const acknowledged: string[] = [];
      for (let i = 0; i < 12; i++) {
        await listener.land([push(`r${i}`)]).then(
          () => acknowledged.push(`r${i}`),
          () => undefined,
        );
        if (i % 4 === 3) await listener.commit('now').catch(() => undefined);
      }
      await commitAbandoned(effectsOn(inner, { now: NOW + HOUR }), stream);
      const { records } = await committed(inner);
      expect(
        acknowledged.filter((id) => !records.includes(id)),
        `seed ${seed}`,
      ).toEqual([]);
      expect(acknowledged.length, `seed ${seed}`).toBeGreaterThan(0);
    }
  });

  test('where nobody normalizes what is pushed, windows become longer, so that the head stays small', async () => {
    const store = memoryStore();
    const time: TestClock = { now: NOW };
    const listener = listenerOn(effectsOn(store, time));
    for (let minute = 0; minute < 180; minute++) {
      time.now = NOW + minute * MINUTE;
      await listener.land([push(`m${minute}`)]);
    }
    await listener.commit('now');
    const { records, windows } = await committed(store);
    expect(records).toHaveLength(180);
    expect(windows).toBeLessThan(70);
  });
});

/** Lands one after the other, then commits. @returns what was acknowledged. */
async function workUntilDead(listener: PushWindows, ids: readonly string[]): Promise<string[]> {
  const acknowledged: string[] = [];
  try {
    for (const id of ids) {
      await listener.land([push(id)]);
      acknowledged.push(id);
    }
    await listener.commit('now');
  } catch {
    // It is dead.
  }
  return acknowledged;
}

describe('R26: a poller and listeners work on one stream at once', () => {
  test('windows of both are committed, and pushes move no watermark and hold none back', async () => {
    const store = memoryStore();
    const effects = effectsOn(store);
    const holder = otherMachine();
    const lease = await acquireLease({
      store,
      stream: stream.name,
      clock: effects.clock,
      log: silentLog,
      holder,
      randomId: randomUUID,
      wait: false,
    });
    const poll = { kind: 'poll', start: NOW - HOUR, end: NOW } as const;
    const listener = listenerOn(effects);
    await listener.land([push('a')]);
    await lease.update(beginWindow(poll));
    await listener.land([push('b')]);
    await Promise.all([listener.commit('now'), lease.update(commitWindow({ window: poll, manifest: 'polled/manifest.json' }))]);
    await listener.land([push('c')]);
    const head = await headIn(store);
    expect(head).toMatchObject({ watermark: NOW, since: NOW - HOUR, open: [], epoch: 1, holder: { id: holder.id } });
    expect(head?.pending.map(({ window }) => window.kind).sort()).toEqual(['poll', 'push']);
    expect(pushWindows(head as Head).open).toHaveLength(1);
    await lease.release();
  });

  test('a takeover of the stream fences no listener', async () => {
    const store = memoryStore();
    const listener = listenerOn(effectsOn(store));
    await listener.land([push('a')]);
    await updateHead(store, stream.name, (head) => ({ ...head, epoch: head.epoch + 1 }), null, effectsOn(store));
    await listener.land([push('b')]);
    await listener.commit('now');
    expect(await committed(store)).toEqual({ records: ['a', 'b'], windows: 1 });
  });
});
