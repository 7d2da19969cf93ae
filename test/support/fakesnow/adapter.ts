import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { request } from 'undici';
import type { Bind } from '../snowflake/scope.ts';
import { bound } from './binds.ts';
import { type Column, rowsOf } from './rows.ts';

/**
 * What stands between the Node driver and fakesnow, which answers queries in Arrow, without the number of rows, and what it cannot do with
 * status 500, which the driver would send again and again. Statements pass as they are, but for the stage: its bucket becomes a folder.
 */

export interface AdapterOptions {
  /** Address of fakesnow. */
  readonly upstream: string;
  /** Where files of the stage are put for it. */
  readonly folder: string;
  readonly readStaged: (url: string) => Promise<Buffer | null>;
}

export interface Adapter {
  readonly url: string;
  close(): Promise<void>;
}

interface Answer {
  data: { rowtype?: Column[]; rowset?: unknown; rowsetBase64?: string; total?: number; [name: string]: unknown } | null;
  success: boolean;
  code?: string | null;
  message?: string | null;
}

export async function startAdapter(options: AdapterOptions): Promise<Adapter> {
  const stage = new FolderStage(options);
  const server = createServer((incoming, response) => void answer(options.upstream, stage, incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
    await rm(options.folder, { recursive: true, force: true });
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

async function answer(upstream: string, stage: FolderStage, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = incoming.url ?? '/';
  const body = await read(incoming);
  if (url.startsWith('/telemetry')) return send(response, { data: null, success: true });
  const isQuery = url.startsWith('/queries/v1/query-request');
  const sent = isQuery ? JSON.stringify(await stage.rewritten(known(JSON.parse(body) as Asked))) : body;
  const headers = { 'content-type': 'application/json', authorization: incoming.headers.authorization ?? '' };
  const { statusCode, body: received } = await request(`${upstream}${url}`, {
    method: incoming.method === 'GET' ? 'GET' : 'POST',
    headers,
    body: sent === '' ? null : sent,
    headersTimeout: 60_000,
  });
  send(response, adapted(statusCode, await received.text(), url));
}

/** Statements that fakesnow refuses, and that change nothing which the suite looks at; its sessions are in UTC as they are, and all in one transaction. */
const PASSED_OVER =
  /^\s*(?:BEGIN|COMMIT|ROLLBACK|ALTER SESSION|(?:CREATE|ALTER) (?:TAG|MASKING POLICY|ROW ACCESS POLICY)|GRANT|ALTER TABLE [\s\S]* SET TAG)/;
const ROW_ACCESS = / WITH ROW ACCESS POLICY \S+ ON \([^)]*\)/;

interface Asked {
  readonly sqlText: string;
  readonly bindings?: Readonly<Record<string, Bind>>;
}

function known({ bindings = {}, ...query }: Asked): Asked {
  const passes = PASSED_OVER.test(query.sqlText);
  const sqlText = passes
    ? `SELECT 'Statement executed successfully.' AS "status"`
    : bound(query.sqlText, bindings).replace(ROW_ACCESS, '').replaceAll('CURRENT_TRANSACTION()', "'1'");
  return { ...query, sqlText };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const raw = Buffer.concat(parts);
  return incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(raw).toString() : raw.toString();
}

function send(response: ServerResponse, body: Answer): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function adapted(status: number, text: string, url: string): Answer {
  if (!text.startsWith('{')) return failure('000603', `fakesnow answered ${status}: ${text.slice(0, 300)}`);
  const answered = JSON.parse(text) as Answer;
  if (status >= 500) return failure('000603', answered.message ?? `fakesnow answered ${status}`);
  if (url.startsWith('/session/v1/login-request') && answered.data) {
    Object.assign(answered.data, { masterToken: 'none', validityInSeconds: 3600, masterValidityInSeconds: 14_400, sessionId: 1 });
  }
  return answered.data?.rowtype ? withRows(answered) : answered;
}

const failure = (code: string, message: string): Answer => ({
  data: { errorCode: code, sqlState: 'XX000' },
  code,
  message,
  success: false,
});

function withRows(answered: Answer): Answer {
  const { rowsetBase64, rowset, rowtype = [], ...rest } = answered.data ?? {};
  const rows = rowset ?? rowsOf(rowsetBase64 ?? '', rowtype);
  const total = (rows as unknown[]).length;
  return { ...answered, data: { ...rest, rowtype, rowset: rows, total, returned: total, version: 1, queryResultFormat: 'json' } };
}

/** The bucket as a folder: files are put there when a COPY names them. */
class FolderStage {
  readonly #options: AdapterOptions;
  /** The stages' addresses by their full name, as it is written. */
  readonly #stages = new Map<string, string>();

  constructor(options: AdapterOptions) {
    this.#options = options;
  }

  async rewritten(query: Asked): Promise<Asked> {
    const created = /^CREATE STAGE IF NOT EXISTS (\S+)\s+URL = '(s3:\/\/[^']+)'/.exec(query.sqlText);
    if (created) {
      this.#stages.set(created[1] ?? '', created[2] ?? '');
      return { ...query, sqlText: query.sqlText.replace(created[2] ?? '', `file://${this.#path(created[2] ?? '')}`) };
    }
    const copied = /^\s*COPY INTO[\s\S]*\sFROM @(\S+?)\)\s+FILES = \(([^)]*)\)/.exec(query.sqlText);
    if (copied)
      for (const [, file = ''] of (copied[2] ?? '').matchAll(/'([^']*)'/g))
        await this.#fetch(`${this.#stages.get(copied[1] ?? '')}${file}`);
    return query;
  }

  async #fetch(url: string): Promise<void> {
    const bytes = await this.#options.readStaged(url);
    if (!bytes) return;
    await mkdir(dirname(this.#path(url)), { recursive: true });
    await writeFile(this.#path(url), bytes);
  }

  #path(url: string): string {
    const path = join(this.#options.folder, url.slice('s3://'.length));
    return url.endsWith('/') && !path.endsWith('/') ? `${path}/` : path;
  }
}
