import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { seededRandom } from '../../src/store/faulty.ts';

/** What the server does wrong, by chance from the seed, as shares of the requests. */
interface S3Faults {
  readonly seed: number;
  /** Answered 503; nothing was done. */
  readonly unavailable?: number;
  /** Done, and the connection dropped before the answer. */
  readonly lostAnswers?: number;
  /** Conditional writes answered 409; nothing was done. */
  readonly collisions?: number;
  /** Bodies that break off in the middle. */
  readonly brokenBodies?: number;
}

export interface S3ServerOptions {
  readonly bucket: string;
  readonly faults?: S3Faults;
  /** Takes the conditions and does not look at them, as several emulators do. */
  readonly ignoresConditions?: boolean;
  /** What stands in the bucket from the start. */
  readonly keys?: Iterable<string>;
  /** Keys a page of a listing at most, whatever is asked. */
  readonly listPage?: number;
}

export interface S3Server {
  readonly endpoint: string;
  /** Headers of every PutObject so far, in order. */
  readonly puts: readonly Record<string, unknown>[];
  close(): Promise<void>;
}

interface StoredEntry {
  readonly body: Buffer;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/**
 * The part of S3 that the store uses, over real HTTP: PutObject with If-None-Match and If-Match, GetObject, HeadObject, DeleteObject and
 * ListObjectsV2. A body is read whole and its checksum verified; then condition and write are one step.
 */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const bucket = new Bucket(options);
  const random = seededRandom(options.faults?.seed ?? 0);
  const server = createServer((request, response) => {
    serve(request, response, bucket, options.faults, random).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    puts: bucket.puts,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  bucket: Bucket,
  faults: S3Faults | undefined,
  random: () => number,
): Promise<void> {
  const body = await readBody(request);
  const { unavailable = 0, collisions = 0, lostAnswers = 0, brokenBodies = 0 } = faults ?? {};
  const chance = random();
  if (chance < unavailable) return send(request, response, errorAnswer(503, 'SlowDown'));
  const conditional = 'if-match' in request.headers || 'if-none-match' in request.headers;
  if (conditional && random() < collisions) return send(request, response, errorAnswer(409, 'ConditionalRequestConflict'));
  const answer = body === null ? errorAnswer(400, 'BadDigest') : bucket.handle(request, body);
  if (random() < lostAnswers) return void request.socket.destroy();
  if (request.method === 'GET' && random() < brokenBodies) return sendHalf(response, answer);
  return send(request, response, answer);
}

function send(request: IncomingMessage, response: ServerResponse, { status, headers = {}, body = '' }: Answer): void {
  response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function sendHalf(response: ServerResponse, { status, headers = {}, body = '' }: Answer): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-length': String(bytes.length), ...headers });
  response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
}

class Bucket {
  readonly puts: Record<string, unknown>[] = [];
  private readonly entries = new Map<string, StoredEntry>();
  private sorted: readonly string[] | undefined;
  private readonly options: S3ServerOptions;

  constructor(options: S3ServerOptions) {
    this.options = options;
    for (const key of options.keys ?? [])
      this.entries.set(key, { body: Buffer.from('[]'), etag: '"d751713988987e9331980363e24189ce"', metadata: {} });
  }

  handle(request: IncomingMessage, body: Buffer): Answer {
    const url = new URL(request.url ?? '/', 'http://server');
    const [, name = '', ...rest] = url.pathname.split('/');
    if (!/Credential=[^/]+\/\d{8}\/[^/]+\/s3\/aws4_request/.test(request.headers.authorization ?? ''))
      return errorAnswer(403, 'AccessDenied');
    if (name !== this.options.bucket) return errorAnswer(404, 'NoSuchBucket');
    const key = decodeURIComponent(rest.join('/'));
    if (request.method === 'GET' && url.searchParams.get('list-type') === '2') return this.list(url.searchParams);
    if (request.method === 'PUT') return this.put(key, request, body);
    if (request.method === 'GET' || request.method === 'HEAD') return this.get(key);
    if (request.method !== 'DELETE') return errorAnswer(501, 'NotImplemented');
    this.entries.delete(key);
    this.sorted = undefined;
    return { status: 204 };
  }

  private put(key: string, request: IncomingMessage, body: Buffer): Answer {
    this.puts.push({ ...request.headers });
    const refusal = this.options.ignoresConditions ? null : this.refusal(key, request);
    if (refusal) return refusal;
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    const named = Object.entries(request.headers).filter(([header]) => header.startsWith('x-amz-meta-'));
    this.sorted = undefined;
    this.entries.set(key, { body, etag, metadata: Object.fromEntries(named) as Record<string, string> });
    return { status: 200, headers: { etag } };
  }

  private refusal(key: string, { headers }: IncomingMessage): Answer | null {
    const standing = this.entries.get(key);
    if (headers['if-none-match'] === '*' && standing) return errorAnswer(412, 'PreconditionFailed');
    const tag = headers['if-match'];
    if (tag === undefined) return null;
    if (!standing) return errorAnswer(404, 'NoSuchKey');
    return standing.etag === tag ? null : errorAnswer(412, 'PreconditionFailed');
  }

  private get(key: string): Answer {
    const entry = this.entries.get(key);
    if (!entry) return errorAnswer(404, 'NoSuchKey');
    return {
      status: 200,
      headers: { etag: entry.etag, 'x-amz-checksum-crc32': checksumOf(entry.body), ...entry.metadata },
      body: entry.body,
    };
  }

  private list(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const after = Buffer.from(query.get('continuation-token') ?? '', 'base64url').toString();
    const limit = Math.min(Number(query.get('max-keys') ?? 1000), this.options.listPage ?? 1000);
    this.sorted ??= [...this.entries.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const keys = this.sorted.filter((key) => key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
    const page = keys.slice(0, limit);
    const next = keys.length > page.length ? Buffer.from(page.at(-1) ?? '').toString('base64url') : null;
    return { status: 200, headers: { 'content-type': 'application/xml' }, body: this.listing(page, next) };
  }

  private listing(keys: readonly string[], next: string | null): string {
    const contents = keys.map((key) => {
      const entry = this.entries.get(key);
      return `<Contents><Key>${escapeXml(key)}</Key><Size>${entry?.body.length ?? 0}</Size><ETag>${escapeXml(entry?.etag ?? '')}</ETag></Contents>`;
    });
    const more = next === null ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`;
    return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>${next !== null}</IsTruncated>${more}${contents.join('')}</ListBucketResult>`;
  }
}

function errorAnswer(status: number, code: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

const escapeXml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function checksumOf(body: Buffer): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64');
}

/** @returns the content, out of `aws-chunked` framing where it came so, or null where its checksum is not the one that was sent. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const received = Buffer.concat(chunks);
  const chunked = String(request.headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-');
  const { body, trailers } = chunked ? unchunk(received) : { body: received, trailers: new Map<string, string>() };
  const claimed = request.headers['x-amz-checksum-crc32'] ?? trailers.get('x-amz-checksum-crc32');
  return claimed === undefined || claimed === checksumOf(body) ? body : null;
}

function unchunk(received: Buffer): { body: Buffer; trailers: Map<string, string> } {
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const line = received.indexOf('\r\n', offset);
    const size = Number.parseInt(received.toString('latin1', offset, line), 16);
    if (size === 0) return { body: Buffer.concat(parts), trailers: trailersOf(received.toString('latin1', line + 2)) };
    parts.push(received.subarray(line + 2, line + 2 + size));
    offset = line + 2 + size + 2;
  }
}

function trailersOf(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).trim().toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
}
