import { createHash } from 'node:crypto';
import { request } from 'node:http';
import type { PartnerSettings } from '../../src/partner/options.ts';
import { type Partner, startPartner } from '../../src/partner/server.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As sent: not decoded. */
  readonly body: Buffer;
}

export interface Envelope {
  readonly data: Record<string, unknown>[];
  readonly next_cursor: string | null;
  readonly has_more: boolean;
}

/** A plain GET on a connection of its own; rejects where the connection breaks off. */
export function get(partner: Partner, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(
      partner.url + path,
      { agent: false, headers: { authorization: `Bearer ${partner.keys[0]}`, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

export async function getPage(partner: Partner, path: string): Promise<Envelope> {
  return parsePage(await get(partner, path));
}

export function parsePage(reply: Reply): Envelope {
  return JSON.parse(reply.body.toString()) as Envelope;
}

/** Every record of a chain as its exact text, in the order of arrival, by a client that does everything right and meets no faults. */
export async function walk(partner: Partner, path: string, size: number, since = ''): Promise<string[]> {
  const texts: string[] = [];
  let cursor: string | null = null;
  do {
    const query = cursor === null ? since && `&updated_since=${since}` : `&cursor=${cursor}`;
    const reply = await get(partner, `${path}?page_size=${size}${query}`);
    texts.push(...recordTexts(reply.body.toString()));
    cursor = parsePage(reply).next_cursor;
  } while (cursor !== null);
  return texts;
}

/** The records' texts as they stand in the body: the partner puts no newline or `},{"` of the first level anywhere else. */
export function recordTexts(body: string): string[] {
  const array = body.slice('{"data":['.length, body.lastIndexOf('],"next_cursor"'));
  const first = /^\{"(event_id|vendor_txn_id)"/.exec(array)?.[0];
  return first === undefined ? [] : array.split(`,${first}`).map((text, i) => (i === 0 ? text : first + text));
}

/** The law: of each key the text with the greatest version, by key columns joined with a comma. */
export function greatest(texts: readonly string[]): Map<string, string> {
  const winners = new Map<string, { version: [string, number]; text: string }>();
  for (const text of texts) {
    const record = JSON.parse(text) as Record<string, string> & { event_version?: number };
    const key = record['vendor_txn_id'] ?? `${record['environment']},${record['event_id']}`;
    const version: [string, number] = [record['updated_at'] ?? '', record.event_version ?? 0];
    const known = winners.get(key)?.version ?? ['', 0];
    if (version[0] > known[0] || (version[0] === known[0] && version[1] > known[1])) winners.set(key, { version, text });
  }
  return new Map([...winners].map(([key, { text }]) => [key, text]));
}

export async function withPartner<T>(settings: PartnerSettings, use: (partner: Partner) => Promise<T>): Promise<T> {
  const partner = await startPartner(settings);
  try {
    return await use(partner);
  } finally {
    await partner.close();
  }
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
