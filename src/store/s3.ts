import { addAbortSignal, Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { TidemarkError } from '../errors.ts';
import type { StoreConfig } from '../stream.ts';
import { isRawBody, RETENTION_TAG } from './keys.ts';
import type { ObjectInfo, ObjectStore } from './object-store.ts';
import { type Deadline, nullWhereMissing, repeated, withDeadline } from './s3-attempt.ts';
import { base64Of } from './s3-body.ts';
import { S3_LIMITS, type S3Effects } from './s3-limits.ts';
import { type ListPage, type S3Requests, storeOver } from './s3-store.ts';
import type { Stamp } from './s3-write.ts';

/** Metadata of every object: whose write it was. */
const WRITER = 'tidemark-op';

export interface S3Options extends S3Effects {
  readonly bucket: string;
  /** Without slashes at its ends; empty for the bucket's root. */
  readonly prefix: string;
  readonly kmsKey: string | undefined;
  /** Whether objects of limited retention are tagged with it. */
  readonly tags: boolean;
  /** Made by s3Client: it sends each request once. */
  readonly client: S3Client;
  readonly randomId: () => string;
  /** Keys a page of a listing. */
  readonly listPage?: number;
}

/** @param config of the configuration file. Credentials are found as every AWS tool finds them. */
export function openS3Store(
  config: Extract<StoreConfig, { kind: 's3' }>,
  effects: S3Effects & { readonly randomId: () => string },
): ObjectStore {
  const client = s3Client({
    ...(config.region === undefined ? {} : { region: config.region }),
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    forcePathStyle: config.pathStyle,
  });
  return s3Store({
    bucket: config.bucket,
    prefix: config.prefix.replaceAll(/^\/+|\/+$/g, ''),
    kmsKey: config.kmsKey,
    tags: config.tags,
    client,
    ...effects,
  });
}

/**
 * A client that never repeats a request by itself: a repeated conditional write would meet its own success and call it somebody else's.
 * The store repeats, on its own clock. It also sends a CRC-32 of its own with every body, hence `WHEN_REQUIRED`.
 */
export function s3Client(config: S3ClientConfig): S3Client {
  return new S3Client({
    ...config,
    maxAttempts: 1,
    logger: SILENT,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: S3_LIMITS.connectMs, socketTimeout: S3_LIMITS.idleMs },
  });
}

/** Without one the SDK writes warnings to the console; what fails is told by the errors. */
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {}

/** A bucket, or a prefix of one, as an object store. Tags are ETags. */
export function s3Store(options: S3Options): ObjectStore {
  const { bucket, prefix } = options;
  return storeOver(prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`, s3Requests(options), options);
}

/** The requests that the store makes, each with its deadline; all but `put` and `look` are repeated while that can help. */
function s3Requests({ bucket, prefix, kmsKey, tags, client, listPage = S3_LIMITS.listPage, ...effects }: S3Options): S3Requests {
  const base = prefix === '' ? '' : `${prefix}/`;
  const at = (key: string): { Bucket: string; Key: string } => ({ Bucket: bucket, Key: base + key });
  const encryption = kmsKey === undefined ? {} : { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: kmsKey };
  const ask = <T>(work: (deadline: Deadline) => Promise<T>): Promise<T | null> => repeated(effects, () => withDeadline(effects, 0, work));

  const headOnce = async (key: string, { signal, within }: Deadline): Promise<ObjectInfo & Stamp> => {
    const answer = await within(client.send(new HeadObjectCommand(at(key)), { abortSignal: signal }));
    return { key, size: answer.ContentLength ?? 0, tag: tagOf(answer.ETag), writer: answer.Metadata?.[WRITER] };
  };

  return {
    put: (key, content, condition, writer) =>
      withDeadline(effects, content.size, async ({ signal, within }) => {
        const body = content.open();
        const input = {
          ...at(key),
          ...encryption,
          ...(condition.kind === 'free' ? { IfNoneMatch: '*' } : { IfMatch: condition.tag }),
          Body: body,
          ContentLength: content.size,
          ChecksumCRC32: base64Of(content.crc32),
          Metadata: { [WRITER]: writer },
          ...(tags && isRawBody(key) ? { Tagging: `${RETENTION_TAG.name}=${RETENTION_TAG.raw}` } : {}),
        };
        try {
          return tagOf((await within(client.send(new PutObjectCommand(input), { abortSignal: signal }))).ETag);
        } finally {
          // The SDK leaves a file open that it did not send to its end.
          if (body instanceof Readable) body.destroy();
        }
      }),
    head: (key) => ask((deadline) => headOnce(key, deadline)),
    look: (key) => withDeadline(effects, 0, (deadline) => headOnce(key, deadline)).catch(nullWhereMissing),
    read: (key, use) =>
      ask(async ({ signal, within, allow }) => {
        const answer = await within(client.send(new GetObjectCommand({ ...at(key), ChecksumMode: 'ENABLED' }), { abortSignal: signal }));
        const size = answer.ContentLength ?? 0;
        allow(size);
        return use({ key, size, tag: tagOf(answer.ETag) }, addAbortSignal(signal, answer.Body as Readable));
      }),
    list: async (start, token) => {
      const input = { Bucket: bucket, Prefix: base + start, MaxKeys: listPage, ContinuationToken: token };
      const answer = await ask(({ signal, within }) => within(client.send(new ListObjectsV2Command(input), { abortSignal: signal })));
      return answer === null ? { objects: [], next: undefined } : pageOf(answer, base);
    },
    remove: async (key) => {
      await ask(({ signal, within }) => within(client.send(new DeleteObjectCommand(at(key)), { abortSignal: signal })));
    },
  };
}

function pageOf(answer: ListObjectsV2CommandOutput, base: string): ListPage {
  const objects = (answer.Contents ?? []).flatMap(({ Key, Size, ETag }) =>
    // Consoles make objects that end in a slash to show folders; they are nobody's.
    Key === undefined || Key.endsWith('/') ? [] : [{ key: Key.slice(base.length), size: Size ?? 0, tag: tagOf(ETag) }],
  );
  return { objects, next: answer.IsTruncated ? answer.NextContinuationToken : undefined };
}

/** An answer without one would make every later condition meaningless. */
function tagOf(etag: string | undefined): string {
  if (etag) return etag;
  throw new TidemarkError({
    code: 'STORE_UNSAFE',
    message: 'the S3 server answers without an ETag',
    hint: 'Tidemark needs one for compare-and-set. Use a server that sends them: docs/OPERATIONS.md names some.',
  });
}
