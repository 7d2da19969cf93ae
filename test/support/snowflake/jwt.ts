import { createHash, createPublicKey, createVerify, type KeyObject } from 'node:crypto';

export interface Claims {
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string | readonly string[];
  readonly exp?: number;
  readonly iat?: number;
}

/** @returns the claims of an RS256 token that this key signed and that has not expired; otherwise null. */
export function verified(token: string, key: KeyObject, nowMs: number): Claims | null {
  const [header = '', payload = '', signature = ''] = token.split('.');
  if ((decoded(header) as { alg?: string } | null)?.alg !== 'RS256') return null;
  if (!createVerify('RSA-SHA256').update(`${header}.${payload}`).verify(key, Buffer.from(signature, 'base64url'))) return null;
  const claims = decoded(payload) as Claims | null;
  return claims?.exp !== undefined && millis(claims.exp) > nowMs ? claims : null;
}

/** Claims of a token whose signature nobody has looked at yet. */
export const unverified = (token: string): Claims | null => decoded(token.split('.')[1] ?? '') as Claims | null;

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return null;
  }
}

/** The standard says seconds; the Node driver signs milliseconds, and the service takes both. */
const millis = (time: number): number => (time > 100_000_000_000 ? time : time * 1000);

/** As the service names a user's public key: `SHA256:` and the digest of its DER form. */
export function fingerprint(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return `SHA256:${createHash('sha256').update(der).digest('base64')}`;
}

export const publicKey = (key: KeyObject | string): KeyObject => (typeof key === 'string' ? createPublicKey(key) : key);
