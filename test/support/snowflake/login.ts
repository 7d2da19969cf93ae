import type { KeyObject } from 'node:crypto';
import { SnowflakeError } from './errors.ts';
import { fingerprint, publicKey, unverified, verified } from './jwt.ts';

/** Who may log in, and how. */
export interface User {
  readonly name: string;
  /** Key-pair login: the public key that is registered, as PEM or as a key. */
  readonly publicKey?: KeyObject | string;
  /** Workload identity by OIDC: whose tokens, for which subject, signed by which key. */
  readonly oidc?: { readonly issuer: string; readonly subject: string; readonly publicKey: KeyObject | string };
  readonly defaultRole?: string;
  readonly roles?: readonly string[];
}

export interface LoginData {
  readonly ACCOUNT_NAME?: string;
  readonly LOGIN_NAME?: string;
  readonly PASSWORD?: string;
  readonly AUTHENTICATOR?: string;
  readonly TOKEN?: string;
  readonly PROVIDER?: string;
  readonly SESSION_PARAMETERS?: Readonly<Record<string, unknown>>;
}

const AUDIENCE = 'snowflakecomputing.com';
const refused = (code: string, message: string): SnowflakeError => new SnowflakeError(code, '08001', message);
const invalidJwt = (): SnowflakeError => refused('390144', 'JWT token is invalid.');

/** @returns the user. @throws as the service refuses a login. */
export function authenticated(data: LoginData, account: string, users: readonly User[], nowMs: number): User {
  switch (data.AUTHENTICATOR) {
    case 'SNOWFLAKE_JWT':
      return byKeyPair(data, account, users, nowMs);
    case 'WORKLOAD_IDENTITY':
      return byWorkload(data, users, nowMs);
    case undefined:
    case 'SNOWFLAKE':
      throw refused('390100', 'Incorrect username or password was specified.');
    default:
      throw refused(
        '390190',
        `There was an error related to the authenticator ${data.AUTHENTICATOR}. Contact your local system administrator.`,
      );
  }
}

function byKeyPair(data: LoginData, account: string, users: readonly User[], nowMs: number): User {
  const user = users.find(({ name }) => name === data.LOGIN_NAME?.toUpperCase());
  if (!user?.publicKey || data.TOKEN === undefined) throw invalidJwt();
  const key = publicKey(user.publicKey);
  const subject = `${account}.${user.name}`;
  const claims = verified(data.TOKEN, key, nowMs);
  if (claims?.sub !== subject || claims.iss !== `${subject}.${fingerprint(key)}`) throw invalidJwt();
  return user;
}

function byWorkload(data: LoginData, users: readonly User[], nowMs: number): User {
  const claimed = unverified(data.TOKEN ?? '');
  const user = users.find(({ oidc }) => oidc && oidc.issuer === claimed?.iss && oidc.subject === claimed?.sub);
  const claims = user?.oidc && data.PROVIDER === 'OIDC' ? verified(data.TOKEN ?? '', publicKey(user.oidc.publicKey), nowMs) : null;
  if (!user || !claims || ![claims.aud].flat().includes(AUDIENCE)) {
    throw refused(
      '394310',
      'The workload identity attestation is invalid: no user has this issuer and subject, or the token is not valid.',
    );
  }
  return user;
}
