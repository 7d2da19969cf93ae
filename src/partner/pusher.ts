import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import type { Micros } from '../clock.ts';
import type { RecordSource } from './record-source.ts';
import type { Entry } from './timeline.ts';

/** The partner as one that pushes: what becomes visible in a stretch of its clock, in the order in which it does, signed and sent again until taken. */
export interface PushQuestion {
  /** Of the partner's clock: from, inclusive, to, exclusive. */
  readonly from: Micros;
  readonly to: Micros;
  /** Records a push. */
  readonly size: number;
  readonly url: string;
  readonly secret: string;
  /** What a body is; default ndjson where a push has several records, else the record alone. */
  readonly form?: PushForm;
  /** Every so many pushes one is sent twice, though it was taken. */
  readonly againEvery?: number;
  /** What the partner's clock reads, in seconds: it signs that. */
  readonly nowSeconds: () => number;
  /** Told after each push that was taken. */
  readonly taken?: (push: TakenPush) => void;
}

export type PushForm = 'record' | 'ndjson' | 'array' | 'data';

export interface TakenPush {
  readonly id: string;
  readonly records: readonly string[];
}

export interface PushReport {
  pushes: number;
  records: number;
  /** Answers other than 2xx, and connections that broke. */
  refused: number;
}

export interface PushAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const ATTEMPTS = 10;

/** @throws an Error where a push was not taken in ten attempts. */
export async function pushRecords(source: RecordSource, question: PushQuestion): Promise<PushReport> {
  const report: PushReport = { pushes: 0, records: 0, refused: 0 };
  const texts = recordsBetween(source, question.from, question.to);
  const { size, againEvery = Number.POSITIVE_INFINITY } = question;
  for (let at = 0; at < texts.length; at += size) {
    const push = { id: `evt_${source.stream}_${question.from}_${at}`, records: texts.slice(at, at + size) };
    await sendUntilTaken(question, push, report);
    if (report.pushes % againEvery === 0) await sendUntilTaken(question, push, report);
    question.taken?.(push);
    report.pushes += 1;
    report.records += push.records.length;
  }
  return report;
}

async function sendUntilTaken(question: PushQuestion, { id, records }: TakenPush, report: PushReport): Promise<void> {
  const body = bodyOf(records, question.form ?? (question.size === 1 ? 'record' : 'ndjson'));
  let last = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const headers = { ...signed(question.secret, body, question.nowSeconds()), 'x-delivery-id': id };
    const answer = await sendPush(question.url, body, headers).catch((error: Error) => ({ status: 0, headers: {}, body: error.message }));
    if (answer.status >= 200 && answer.status < 300) return;
    report.refused += 1;
    last = `${answer.status} ${answer.body}`;
  }
  throw new Error(`the push ${id} was not taken: ${last}`);
}

/** Everything that becomes visible in the stretch, first the first. */
export function recordsBetween(source: RecordSource, from: Micros, to: Micros): string[] {
  const { timeline } = source;
  const entries: Entry[] = [];
  for (let bucket = 0; bucket <= Math.min(timeline.buckets - 1, timeline.bucketOf(to)); bucket += 1)
    entries.push(...timeline.entriesAt(bucket).filter(({ visibleAt }) => visibleAt >= from && visibleAt < to));
  return entries.sort((a, b) => a.visibleAt - b.visibleAt).map((entry) => source.textOf(entry));
}

export function bodyOf(records: readonly string[], form: PushForm): Buffer {
  if (form === 'array') return Buffer.from(`[${records.join(',')}]`);
  if (form === 'data') return Buffer.from(`{"type":"events","data":[${records.join(',')}]}`);
  return Buffer.from(records.join('\n'));
}

/** The signature as `t=…,v1=…`. @param seconds since the epoch. */
export function signed(secret: string, body: Buffer, seconds: number): Record<string, string> {
  const v1 = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex');
  return { 'x-signature': `t=${seconds},v1=${v1}` };
}

/** @throws the socket's error. */
export function sendPush(url: string, body: Buffer, headers: Readonly<Record<string, string>>): Promise<PushAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': String(body.length), ...headers },
    });
    sent.once('error', reject);
    sent.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.end(body);
  });
}
