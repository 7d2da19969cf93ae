import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Micros } from '../clock.ts';
import type { Listen } from '../stream.ts';
import { parseInstant, SECOND } from '../time.ts';

/** How pushes are signed, and with what. */
export type Signing = Pick<Listen, 'signature' | 'deliveryHeader' | 'tolerance'> & {
  /** Bytes of the secrets that count now: two while one takes the place of the other. */
  readonly keys: readonly Buffer[];
};

export interface SignedRequest {
  /** @param name in lower case. @returns null where there is none. */
  header(name: string): string | null;
  /** As it came: the signature is over these bytes, whatever they mean. */
  readonly body: Buffer;
}

export type Verdict =
  | { readonly kind: 'signed'; readonly deliveryId: string | null; readonly signature: string }
  | {
      readonly kind: 'refused';
      readonly code: 'signature_missing' | 'signature_wrong' | 'timestamp_missing' | 'timestamp_outside';
      readonly reason: string;
    };

/** @param now of our clock. */
export function verifySignature(signing: Signing, request: SignedRequest, now: Micros): Verdict {
  const { signature, deliveryHeader, tolerance } = signing;
  const text = request.header(signature.header);
  if (text === null) return refused('signature_missing', `the header ${signature.header} is missing`);
  const parts = partsOf(text);
  const timestamp = signature.timestampHeader === null ? parts.timestamp : request.header(signature.timestampHeader);
  const sentAt = timestamp === null ? null : instantOf(timestamp);
  if (timestamp === null || sentAt === null) return refused('timestamp_missing', 'no time of sending is signed');
  const deliveryId = deliveryHeader === null ? null : request.header(deliveryHeader);
  const signed = Buffer.from(prefixOf(signature.signed, timestamp, deliveryId));
  const matching = parts.signatures.find((given) =>
    signing.keys.some((key) => isSignature(given, key, signed, request.body, signature.encoding)),
  );
  if (matching === undefined) return refused('signature_wrong', 'the signature is not of these bytes, or of another secret');
  // Only what is signed can be believed about its time.
  if (Math.abs(now - sentAt) > tolerance)
    return refused(
      'timestamp_outside',
      `it was sent ${Math.round((now - sentAt) / SECOND)} s before it came; ${tolerance / SECOND} s are tolerated`,
    );
  return { kind: 'signed', deliveryId, signature: matching };
}

const refused = (code: Extract<Verdict, { kind: 'refused' }>['code'], reason: string): Verdict => ({ kind: 'refused', code, reason });

/** `t=1700000000,v1=5257…`, also with several signatures; `sha256=5257…`, `v1,K5oZ…`, or the signature alone. */
function partsOf(text: string): { readonly timestamp: string | null; readonly signatures: readonly string[] } {
  const tokens = text.split(/[\s,]+/).filter((token) => token !== '');
  const timestamp = tokens.find((token) => token.startsWith('t='))?.slice(2) ?? null;
  const signatures = tokens.filter((token) => !token.startsWith('t=')).map((token) => token.replace(/^(?:v\d+|sha256)=/, ''));
  return { timestamp, signatures };
}

const MILLISECONDS_FROM = 12;

/** Seconds since the epoch; milliseconds where there are so many digits; or ISO 8601. */
function instantOf(text: string): Micros | null {
  if (!/^\d+$/.test(text)) return parseInstant(text, 'iso');
  return parseInstant(text, text.length >= MILLISECONDS_FROM ? 'epoch-ms' : 'epoch-s');
}

const prefixOf = (signed: string, timestamp: string, id: string | null): string =>
  signed
    .slice(0, -'{body}'.length)
    .replaceAll('{timestamp}', () => timestamp)
    .replaceAll('{id}', () => id ?? '');

function isSignature(given: string, key: Buffer, prefix: Buffer, body: Buffer, encoding: 'hex' | 'base64'): boolean {
  const expected = createHmac('sha256', key).update(prefix).update(body).digest();
  const bytes = Buffer.from(given, encoding);
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}
