import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import type { HolderInfo } from '../../src/manifest/holder.ts';
import { type PushAnswer, sendPush, signed } from '../../src/partner/pusher.ts';
import type { ServeEffects } from '../../src/serve/effects.ts';
import { type PushServer, startPushServer } from '../../src/serve/server.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import type { Listen, Stream } from '../../src/stream.ts';
import { MINUTE, SECOND } from '../../src/time.ts';
import { instant, streamOf } from '../fetch/fixture.ts';

export const NOW: Micros = instant('2026-11-20T12:00:10Z');
export const SECRET = 'whsec-first';
export const NEXT_SECRET = 'whsec-second';

export const secret = (value: string) => ({ reference: 'env:SECRET', reveal: () => value });

export function listening(overrides: Partial<Listen> = {}): Stream {
  const listen: Listen = {
    path: '/payments',
    secrets: [secret(SECRET)],
    signature: { header: 'x-signature', timestampHeader: null, encoding: 'hex', signed: '{timestamp}.{body}' },
    deliveryHeader: null,
    body: 'record',
    tolerance: 5 * MINUTE,
    maxBytes: 10_000,
    window: MINUTE,
    ...overrides,
  };
  return { ...streamOf('http://127.0.0.1:1/events'), listen };
}

/** A clock that stands still until it is set; looks for windows that are over happen when it is moved. */
export interface TestClock {
  now: Micros;
}

let processes = 0;
/** A process of another machine, so that nobody can tell whether it lives. */
export const otherMachine = (): HolderInfo => ({ id: `boot-${(processes += 1)}:ns:1:1:x`, host: `host-${processes}`, pid: 1 });

export function effectsOn(store: ObjectStore, time: TestClock = { now: NOW }): ServeEffects {
  return {
    store,
    clock: {
      now: () => time.now,
      monotonicMs: () => time.now / 1000,
      // Whoever looks again and again waits until it is ended; whoever tries again does so at once.
      sleep: async (_ms, signal) => {
        if (signal) await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      },
    },
    log: silentLog,
    randomId: randomUUID,
    holder: otherMachine(),
  };
}

export interface TestServer {
  readonly url: string;
  readonly server: PushServer;
  readonly store: ObjectStore;
  readonly stream: Stream;
  readonly time: TestClock;
  /** Sends a body, signed as of now unless said otherwise. */
  send(body: string | Buffer, how?: { secret?: string; at?: Micros; headers?: Record<string, string>; path?: string }): Promise<PushAnswer>;
}

export async function startTestServer(
  overrides: Partial<Listen> = {},
  store: ObjectStore = memoryStore(),
  time: TestClock = { now: NOW },
): Promise<TestServer> {
  const stream = listening(overrides);
  const server = await startPushServer(effectsOn(store, time), [stream], { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close().catch(() => undefined));
  const { url } = server;
  return {
    url,
    server,
    store,
    stream,
    time,
    send: (body, { secret: key = SECRET, at = time.now, headers = {}, path = '/payments' } = {}) => {
      const bytes = Buffer.from(body);
      return sendPush(`${url}${path}`, bytes, { ...signed(key, bytes, Math.floor(at / SECOND)), ...headers });
    },
  };
}

export const record = (id: string, version = 1): string =>
  `{"event_id": "${id}", "updated_at": "2026-11-20T12:00:0${version}Z", "event_version": ${version}}`;

export const parsed = (
  answer: PushAnswer,
): { status?: string; records?: number; error?: { code: string; message: string; deadLetter?: string } } =>
  JSON.parse(answer.body) as never;
