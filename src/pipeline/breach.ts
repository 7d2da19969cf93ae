import { BREACH_SAMPLES, type Breach, type BreachSample, type Certificate, hourOf } from '../certify/certificate.ts';
import { certifiedHours, readBreaches, readCertificate, writeBreach } from '../certify/chain.ts';
import { gather, identityColumns, keyColumns, versionColumns, type Workbench } from '../certify/observations.ts';
import type { Micros } from '../clock.ts';
import type { EngineRow } from '../engine.ts';
import { textOf } from '../load/values.ts';
import type { Batch } from '../manifest/documents.ts';
import { readReceipt } from '../manifest/receipts.ts';
import { getJson } from '../store/json.ts';
import { batchKey, parseRawKey, receiptKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { formatInstant, HOUR } from '../time.ts';
import type { Context } from './context.ts';
import { withWorkbench } from './workbench.ts';

/**
 * Notes what a batch brings that the certificates of its hours do not count. Made before the batch is loaded, so that nothing comes into
 * a certified hour in silence: the law lets it in, and the breach stands. Costs a listing or two where no hour of the batch is certified.
 * @param noted hours that need not be looked at. @returns the certified hours that the batch meets.
 */
export async function noteBreaches(
  context: Context,
  stream: Stream,
  batch: Batch,
  noted: readonly Micros[] = [],
): Promise<readonly Micros[]> {
  if (batch.minTime === null || batch.maxTime === null) return [];
  const range = { from: hourOf(batch.minTime), to: hourOf(batch.maxTime) + HOUR };
  const hours = await certifiedHours(context.store, stream.name, range);
  const certificates: Certificate[] = [];
  for (const hour of hours) {
    if (noted.includes(hour)) continue;
    const stored = await readCertificate(context.store, stream.name, hour);
    if (stored && !stored.certificate.batches.includes(batch.id)) certificates.push(stored.certificate);
  }
  if (certificates.length > 0) await withWorkbench(context, (bench) => compareWith(context, stream, bench, batch, certificates));
  return hours;
}

async function compareWith(
  context: Context,
  stream: Stream,
  bench: Workbench,
  batch: Batch,
  certificates: readonly Certificate[],
): Promise<void> {
  const range = { from: certificates[0]?.hour ?? 0, to: (certificates.at(-1)?.hour ?? 0) + HOUR };
  const reach = { from: Math.max(range.from, batch.minTime ?? 0), to: Math.min(range.to, (batch.maxTime ?? 0) + 1) };
  const known = await knownBatches(context, stream, batch, certificates);
  await gather(bench, 'mine', { columns: stream, batches: [batch], range: reach });
  await gather(bench, 'known', { columns: stream, batches: known, range: reach });
  for (const certificate of certificates) {
    const breach = await compareHour(context, stream, bench, batch, certificate);
    if (!breach) continue;
    await writeBreach(context.store, breach);
    const { hour, cause, late, changed } = breach;
    context.log.warn({ stream: stream.name, hour: formatInstant(hour), batch: batch.id, cause, late, changed }, 'certified hour breached');
  }
}

/** What the certificates count, and what was noted as a breach of them before. */
async function knownBatches(context: Context, stream: Stream, batch: Batch, certificates: readonly Certificate[]): Promise<Batch[]> {
  const range = { from: certificates[0]?.hour ?? 0, to: (certificates.at(-1)?.hour ?? 0) + HOUR };
  const noted = (await readBreaches(context.store, stream.name, range)).map((breach) => breach.batch);
  const ids = new Set([...certificates.flatMap(({ batches }) => batches), ...noted]);
  const documents: Batch[] = [];
  for (const id of ids) {
    const document = id === batch.id ? null : await getJson<Batch>(context.store, batchKey(stream.name, id));
    if (document) documents.push(document.value);
  }
  return documents;
}

async function compareHour(
  context: Context,
  stream: Stream,
  { engine }: Workbench,
  batch: Batch,
  { hour, certifiedAt }: Certificate,
): Promise<Breach | null> {
  const identity = identityColumns(stream).join(', ');
  const version = [...keyColumns(stream), ...versionColumns(stream)].join(', ');
  await engine.run(`CREATE OR REPLACE TABLE fresh AS
SELECT m.*, (${version}) IN (SELECT (${version}) FROM known) AS changed
FROM (SELECT * FROM mine WHERE v0 >= ${hour} AND v0 < ${hour + HOUR}) m ANTI JOIN known USING (${identity})`);
  const [counted] = await engine.rows('SELECT count(*) FILTER (NOT changed) AS late, count(*) FILTER (changed) AS changed FROM fresh');
  const [late, changed] = [Number(counted?.['late']), Number(counted?.['changed'])];
  if (late + changed === 0) return null;
  const rows = await engine.rows(`SELECT * FROM fresh ORDER BY ${identity} LIMIT ${BREACH_SAMPLES}`);
  const pages = await engine.rows('SELECT DISTINCT page FROM fresh');
  const cause = await causeOf(
    context,
    pages.map(({ page }) => textOf(page)),
    certifiedAt,
  );
  const samples = rows.map((row) => sampleOf(stream, row));
  return { format: 1, stream: stream.name, hour, batch: batch.id, cause, late, changed, samples, at: context.clock.now() };
}

/** What had landed before the hour was certified came in by a decision of ours; what landed after it, by the partner's doing. */
async function causeOf({ store }: Context, pages: readonly string[], certifiedAt: Micros): Promise<Breach['cause']> {
  for (const page of pages) {
    // A body that this stream did not land was brought by somebody's replay.
    const receipt = parseRawKey(page) ? await readReceipt(store, receiptKey(page)) : null;
    if (receipt && receipt.landedAt >= certifiedAt) return 'source';
  }
  return 'decision';
}

const sampleOf = (stream: Stream, row: EngineRow): BreachSample => ({
  what: row['changed'] === true ? 'changed' : 'late',
  key: keyColumns(stream).map((name) => textOf(row[name])),
  version: versionColumns(stream).map((name) => textOf(row[name])),
  contentHash: textOf(row['h']),
  page: textOf(row['page']),
  position: Number(row['position']),
});
