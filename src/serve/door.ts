import { hash } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { JsonError, LayoutError } from '../json/errors.ts';
import type { MeasuredPage } from '../landing/land.ts';
import type { Listen, Stream } from '../stream.ts';
import type { ServeEffects } from './effects.ts';
import { createListener, type Listener } from './listener.ts';
import { measurePush } from './pushed-body.ts';
import { keepRefused } from './refused-push.ts';
import { createReplayGuard } from './replay-guard.ts';
import { type SignedRequest, type Signing, verifySignature } from './signature.ts';

/** What a push is answered. */
export interface DoorAnswer {
  readonly status: 200 | 400 | 401;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The way of one stream's pushes, from the signed bytes to the store; without the transport. */
export interface Door {
  readonly stream: Stream;
  readonly listen: Listen;
  /** Signature, time, replay, JSON, durable: in that order. @throws STORE, CONFLICT: nothing was acknowledged, it is to be sent again. */
  receive(request: SignedRequest): Promise<DoorAnswer>;
  readonly counts: Readonly<DoorCounts>;
  readonly listener: Listener;
}

export interface DoorCounts {
  /** By why. */
  readonly refused: Record<string, number>;
  /** Sent again, and answered without landing. */
  known: number;
}

/** @throws CONFIG where a secret is missing. */
export function createDoor(effects: ServeEffects, stream: Stream, listen: Listen): Door {
  const keys = listen.secrets.map((secret) => Buffer.from(secret.reveal()));
  const signing: Signing = { ...listen, keys };
  const guard = createReplayGuard(listen.tolerance);
  const listener = createListener(effects, stream, listen);
  const counts: DoorCounts = { refused: {}, known: 0 };
  const refuse = (status: 400 | 401, code: string, message: string, more: object = {}): DoorAnswer => {
    counts.refused[code] = (counts.refused[code] ?? 0) + 1;
    effects.log.warn({ stream: stream.name, status, code, message }, 'push refused');
    return { status, body: { error: { code, message, ...more } } };
  };

  return {
    stream,
    listen,
    counts,
    listener,
    receive: async (request) => {
      const now = effects.clock.now();
      const verdict = verifySignature(signing, request, now);
      if (verdict.kind === 'refused') return refuse(401, verdict.code, verdict.reason);
      const read = readPush(stream, request.body);
      if ('reason' in read) {
        const deadLetter = await keepRefused(effects, stream, request.body, read.reason);
        return refuse(400, 'not_readable', read.reason, { deadLetter });
      }
      const { records } = read.page.measure;
      if (records === 0) return { status: 200, body: { status: 'landed', records } };
      const { length: bytes } = request.body;
      const delivery = { id: verdict.deliveryId, sha256: hash('sha256', request.body), bytes, records, receivedAt: now };
      const name = verdict.deliveryId === null ? `signature ${verdict.signature}` : `delivery ${verdict.deliveryId}`;
      const status = await guard.once(name, now, () => listener.submit({ page: read.page, delivery }));
      if (status === 'known') counts.known += 1;
      return { status: 200, body: { status, records } };
    },
  };
}

function readPush(stream: Stream, body: Buffer): { readonly page: MeasuredPage } | { readonly reason: string } {
  try {
    return { page: measurePush(stream, body) };
  } catch (error) {
    if (error instanceof JsonError) return { reason: `the body is not JSON: ${error.message}` };
    if (error instanceof LayoutError) return { reason: `the body is not what is expected: ${messageOf(error)}` };
    throw error;
  }
}
