import { messageOf, TidemarkError } from '../errors.ts';

/** What an S3 client rejects with, as far as it matters here; network errors have neither status nor request id. */
interface S3Rejection {
  readonly name?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

/** How the outcome of a conditional write is to be read. */
export type WriteRefusal =
  /** 412: the condition does not hold. */
  | 'condition'
  /** 409: another conditional write to the key was under way; nothing was decided. */
  | 'collision'
  /** 404 under If-Match: there is no object. */
  | 'missing'
  /** No answer, or 5xx: the write may have been made. */
  | 'unknown'
  /** Refused for good. */
  | 'failed';

export function writeRefusal(error: unknown): WriteRefusal {
  const status = statusOf(error);
  if (status === 412) return 'condition';
  if (status === 409) return 'collision';
  if (status === 404 && nameOf(error) !== 'NoSuchBucket') return 'missing';
  return isTransient(error) ? 'unknown' : 'failed';
}

export const isMissing = (error: unknown): boolean => statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket';

/** Throttling, 5xx, or no answer at all. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TidemarkError) return error.transient;
  const status = statusOf(error);
  if (status === undefined) return !LOCAL.has(nameOf(error));
  if (status >= 500) return status !== 501;
  return [408, 409, 429].includes(status) || ['RequestTimeout', 'SlowDown'].includes(nameOf(error));
}

/** Failures of this side: credentials, arguments, and the local files that are read and written. */
const LOCAL = new Set(
  'CredentialsProviderError TokenProviderError RegionMissing TypeError RangeError InvalidRegion ENOSPC EDQUOT EACCES EPERM EROFS EEXIST ENOENT ENOTDIR EISDIR EMFILE'.split(
    ' ',
  ),
);

const statusOf = (error: unknown): number | undefined => (error as S3Rejection).$metadata?.httpStatusCode;

/** The service's code, or the system's: errors of Node all bear the name `Error`. */
function nameOf(error: unknown): string {
  const { name = '', code } = error as S3Rejection;
  if (messageOf(error) === 'Region is missing') return 'RegionMissing';
  return name === 'Error' && code ? code : name;
}

export interface S3Attempt {
  readonly action: 'read' | 'write' | 'list' | 'remove';
  readonly url: string;
  readonly key: string;
}

const KEPT = 'Everything that was landed before is kept.';
const PERMISSION = { read: 's3:GetObject', write: 's3:PutObject', list: 's3:ListBucket', remove: 's3:DeleteObject' } as const;

/** By error code: what an operator can do about it. */
function hintFor(error: unknown, { action, url }: S3Attempt): string {
  switch (nameOf(error)) {
    case 'AccessDenied':
    case '403':
      return `${KEPT} Allow ${PERMISSION[action]} on ${url}${action === 'write' ? ' and s3:PutObjectTagging' : ''}, and with a KMS key kms:GenerateDataKey and kms:Decrypt on that key.`;
    case 'NoSuchBucket':
      return `${KEPT} Create the bucket of ${url}, or correct \`store:\`.`;
    case 'CredentialsProviderError':
      return 'Nothing was sent. Give this process AWS credentials: a task role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.';
    case 'RegionMissing':
      return 'Nothing was sent. Set `region` under `store:`, or AWS_REGION.';
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'ExpiredToken':
      return `${KEPT} The AWS credentials are wrong or have expired: renew them, then run the same command again.`;
    case 'RequestTimeTooSkewed':
      return `${KEPT} This machine's clock is wrong: synchronize it.`;
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
      return `${KEPT} The bucket is in another region: set \`region\` under \`store:\`.`;
    default:
      return isTransient(error)
        ? `${KEPT} The store did not answer in time; run the same command again, and look at its health if this goes on.`
        : `${KEPT} Look the code up in the S3 documentation.`;
  }
}

export function s3Failure(error: unknown, attempt: S3Attempt): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const status = statusOf(error);
  const what = status === undefined ? `${nameOf(error)}: ${messageOf(error)}` : `${status} ${nameOf(error)}`;
  return new TidemarkError({
    code: 'STORE',
    message: `cannot ${attempt.action} ${attempt.key || 'anything'} in ${attempt.url}: ${what}`,
    hint: hintFor(error, attempt),
    transient: isTransient(error),
    data: { key: attempt.key, status, requestId: (error as S3Rejection).$metadata?.requestId },
    cause: error,
  });
}
