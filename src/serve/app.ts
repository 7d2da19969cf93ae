import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { isTidemarkError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { HEALTH_PATH } from '../stream.ts';
import type { Door } from './door.ts';

/** What the partner is told, in whatever order things go wrong. */
const PROBLEM = {
  notFound: { code: 'not_found', message: 'no stream takes pushes here' },
  method: { code: 'method_not_allowed', message: 'pushes are sent with POST' },
  type: { code: 'unsupported_type', message: 'the body is to be JSON, neither compressed nor encoded' },
  ending: { code: 'unavailable', message: 'the listener is ending; send it again' },
  store: { code: 'unavailable', message: 'the push could not be stored; send it again' },
  internal: { code: 'internal', message: 'the push could not be taken; send it again' },
} as const;

/** Seconds. */
const RETRY_AFTER = '5';
const JSON_TYPE = /^(?:application|text)\/(?:[\w.+-]*\+)?(?:json|x-ndjson|ndjson|jsonl|json-seq|plain)\s*(?:;|$)/i;

export interface AppOptions {
  readonly doors: readonly Door[];
  readonly log: Log;
  /** Whether the process is about to end. */
  readonly ending: () => boolean;
}

/** The HTTP of the listener: one path a stream, and its health. */
export function createApp({ doors, log, ending }: AppOptions): Hono {
  const app = new Hono();
  app.get(HEALTH_PATH, (context) => context.json(health(doors, ending()), ending() ? 503 : 200));
  for (const door of doors) {
    const { path, maxBytes } = door.listen;
    const tooLarge = { code: 'too_large', message: `the body is larger than ${maxBytes} bytes` };
    app.post(
      path,
      async (context, next) => {
        if (ending()) return context.json({ error: PROBLEM.ending }, 503, { 'retry-after': RETRY_AFTER, connection: 'close' });
        const type = context.req.header('content-type');
        const encoding = context.req.header('content-encoding') ?? 'identity';
        if ((type !== undefined && !JSON_TYPE.test(type)) || encoding !== 'identity') return context.json({ error: PROBLEM.type }, 415);
        return next();
      },
      // The rest of a body that is too large is not read: the connection cannot be used again.
      bodyLimit({ maxSize: maxBytes, onError: (context) => context.json({ error: tooLarge }, 413, { connection: 'close' }) }),
      async (context) => {
        const body = Buffer.from(await context.req.arrayBuffer());
        const answer = await door.receive({ header: (name) => context.req.header(name) ?? null, body });
        return context.json(answer.body, answer.status);
      },
    );
    app.all(path, (context) => context.json({ error: PROBLEM.method }, 405, { allow: 'POST' }));
  }
  app.notFound((context) => context.json({ error: PROBLEM.notFound }, 404));
  app.onError((error, context) => {
    const isStore = isTidemarkError(error, 'STORE', 'CONFLICT');
    if (!isStore) log.error({ error: messageOf(error), stack: error.stack }, 'push not taken');
    return context.json({ error: isStore ? PROBLEM.store : PROBLEM.internal }, isStore ? 503 : 500, { 'retry-after': RETRY_AFTER });
  });
  return app;
}

/** For whoever restarts the process: it lives, though the store may be away; what each stream took since it began. */
function health(doors: readonly Door[], isEnding: boolean): object {
  return {
    status: isEnding ? 'ending' : doors.some(({ listener }) => listener.counts.failure !== null) ? 'failing' : 'ok',
    streams: Object.fromEntries(doors.map(({ stream, listener, counts }) => [stream.name, { ...listener.counts, ...counts }])),
  };
}
