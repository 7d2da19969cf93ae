import { createPrivateKey } from 'node:crypto';
import { TidemarkError } from '../../errors.ts';
import type { Secret, SnowflakeConfig } from '../../stream.ts';

/** How a session logs in. Secrets are read here, at every login, and go nowhere else. */
export interface Login {
  readonly authenticator: 'SNOWFLAKE_JWT' | 'WORKLOAD_IDENTITY';
  readonly username?: string;
  /** PKCS#8 in PEM, not encrypted. */
  readonly privateKey?: string;
  readonly workloadIdentityProvider?: 'AWS' | 'AZURE' | 'GCP' | 'OIDC';
  readonly token?: string;
}

/** @throws CONFIG where a secret is missing, or the private key is none. */
export function loginOf({ user, privateKey, passphrase, workloadIdentity, token }: SnowflakeConfig): Login {
  const username = user === undefined ? {} : { username: user };
  if (privateKey) return { authenticator: 'SNOWFLAKE_JWT', ...username, privateKey: plainKey(privateKey, passphrase) };
  return {
    authenticator: 'WORKLOAD_IDENTITY',
    ...username,
    workloadIdentityProvider: (workloadIdentity ?? 'oidc').toUpperCase() as NonNullable<Login['workloadIdentityProvider']>,
    ...(token ? { token: token.reveal() } : {}),
  };
}

function plainKey(secret: Secret, passphrase: Secret | undefined): string {
  const key = secret.reveal();
  try {
    const parsed = createPrivateKey({ key, format: 'pem', ...(passphrase ? { passphrase: passphrase.reveal() } : {}) });
    return parsed.export({ format: 'pem', type: 'pkcs8' }).toString();
  } catch (cause) {
    throw new TidemarkError({
      code: 'CONFIG',
      message: `the secret ${secret.reference} is not a private key in PEM${passphrase ? ', or the passphrase is another' : ''}`,
      hint: 'Nothing was begun. Make one with `openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -out key.p8`; a passphrase has a place of its own.',
      // The cause is left out: it might show a part of the key.
      data: { reason: cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown' },
    });
  }
}
