import type { Listen, Secret } from '../stream.ts';
import { MINUTE, parseDuration } from '../time.ts';
import type { ListenInput } from './listen-definition.ts';
import { parseResponsePath } from './response-path.ts';
import { bytesOf } from './size.ts';

const DEFAULTS = {
  header: 'x-signature',
  signed: '{timestamp}.{body}',
  tolerance: 5 * MINUTE,
  maxBytes: 5_000_000,
  window: MINUTE,
} as const;

/** Where a stream takes pushes, unless it says so itself. */
export const defaultListenPath = (stream: string): string => `/${stream}`;

/** @param input checked. */
export function buildListen(name: string, input: ListenInput, secretOf: (reference: string) => Secret): Listen {
  const { signature = {}, secrets } = input;
  return {
    path: input.path ?? defaultListenPath(name),
    secrets: (typeof secrets === 'string' ? [secrets] : secrets).map(secretOf),
    signature: {
      header: (signature.header ?? DEFAULTS.header).toLowerCase(),
      timestampHeader: signature.timestamp?.toLowerCase() ?? null,
      encoding: signature.encoding ?? 'hex',
      signed: signature.signed ?? DEFAULTS.signed,
    },
    deliveryHeader: input.delivery?.toLowerCase() ?? null,
    body: bodyOf(input.body),
    tolerance: micros(input.tolerance) ?? DEFAULTS.tolerance,
    maxBytes: (input.maxBody === undefined ? null : bytesOf(input.maxBody)) ?? DEFAULTS.maxBytes,
    window: micros(input.window) ?? DEFAULTS.window,
  };
}

const bodyOf = (text = 'record'): Listen['body'] => (text === 'record' || text === 'ndjson' ? text : (parseResponsePath(text) ?? []));

const micros = (text: string | undefined): number | null => (text === undefined ? null : parseDuration(text));
