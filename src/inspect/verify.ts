import type { Micros } from '../clock.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import type { LedgerEntry } from '../load/warehouse.ts';
import { unfinishedBackfills } from '../manifest/backfills.ts';
import type { Batch, BatchFile, Head } from '../manifest/documents.ts';
import { sameWindow } from '../manifest/head.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { readHead } from '../manifest/state.ts';
import { provesNothing } from '../manifest/window-kind.ts';
import { backfillHead, batchKey, deadLetterPrefix } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import { type PublishedBatches, publishedBatches, standingOf } from './batches.ts';
import { type CoverageGap, coverageGaps, type Stretch } from './coverage.ts';
import { Findings } from './findings.ts';
import type { Inspection } from './inspection.ts';
import { readEvidence } from './page-evidence.ts';
import { bringFile, type Scratch, withScratch } from './scratch.ts';
import { instantOrNull } from './text.ts';
import { verifyBatches } from './verify-batches.ts';
import { RETENTION, verifyCertificates } from './verify-certificates.ts';
import { verifyMoney } from './verify-money.ts';
import { nextSteps } from './verify-next.ts';
import { onTheirWay, verifyNormalized, waiting } from './verify-normalized.ts';
import { type KnownManifest, overlaps, type RawFacts, verifyRaw, windowId } from './verify-raw.ts';
import type { FindingKind, VerifyReport } from './verify-report.ts';
import { type TableFacts, verifyTable } from './verify-table.ts';

export interface VerifyOptions {
  /** Of `updated_at`, half open; everything where both are left out. */
  readonly from?: Micros | undefined;
  readonly to?: Micros | undefined;
}

/** A process that loads all the time must not keep the comparison from ending. */
const COMPARISONS = 3;
const ROW_KINDS: readonly FindingKind[] = ['row missing', 'row extra', 'row stale', 'row duplicated', 'table moved'];

/**
 * Do raw pages, batches and warehouse say the same: every page is the bytes that landed, every record of it is accounted for, and the
 * table holds exactly the law's winners. Changes nothing; other processes may go on meanwhile. @throws STORE, WAREHOUSE_BUSY.
 */
export function verify(inspection: Inspection, stream: Stream, options: VerifyOptions = {}): Promise<VerifyReport> {
  return withScratch(inspection.configuration, (scratch) => verifyWith(inspection, stream, options, scratch));
}

async function verifyWith(inspection: Inspection, stream: Stream, options: VerifyOptions, scratch: Scratch): Promise<VerifyReport> {
  const { store, warehouse, clock } = inspection;
  const findings = new Findings();
  const range = rangeOf(options);
  // In the order in which a window goes through them: what is committed while this reads is seen by all that comes later, or by none.
  const raw = await verifyRaw(store, stream, range, findings);
  const head = (await readHead(store, stream.name))?.head ?? null;
  const backfill = (await readHead(store, backfillHead(stream.name)))?.head ?? null;
  const published = await publishedBatches(store, stream.name);
  const ledger = await warehouse.ledger(stream.name);
  const standing = await standingOf(store, stream.name, ledger);

  for (const key of published.unreadable) findings.add('batch missing', `${key}: not the document that was published`);
  const inRange = published.batches.filter((batch) => isInRange(batch, raw, range));
  const totals = await verifyBatches(store, inRange, published.sizes, scratch, findings);
  const normalized = verifyNormalized(raw, onTheirWay(head, backfill), published, standing, findings);
  verifyLedger(stream, ledger, published, raw, range, clock.now(), findings);
  const table = await compareTable(inspection, stream, published.batches, ledger, range, scratch, findings);
  const coverage = await coverageOf(inspection, stream, raw, head, ledger, range);
  const { certificates, money } = await vouchedFor(inspection, stream, published.batches, range, scratch, findings);

  const found = findings.list();
  const verdict = found.length > 0 ? 'differs' : coverage.gaps.length > 0 ? 'incomplete' : 'ok';
  return {
    stream: stream.name,
    range: range && { from: instantOrNull(options.from ?? null), to: instantOrNull(options.to ?? null) },
    checkedAt: formatInstant(clock.now()),
    verdict,
    exitCode: verdict === 'ok' ? 0 : verdict === 'differs' ? 1 : 5,
    raw: { manifests: raw.manifests.length, pages: raw.pages.size, records: raw.records, bytes: raw.bytes, ...normalized },
    batches: {
      published: published.batches.length,
      loaded: published.batches.filter((batch) => standing.stateOf(batch.id) === 'loaded').length,
      held: published.batches.filter((batch) => standing.stateOf(batch.id) === 'held').length,
      ...totals,
    },
    table,
    coverage,
    certificates,
    money,
    findings: found,
    next: nextSteps(stream, found, coverage, {
      live: waiting(raw, head),
      backfills: await unfinishedBackfills(store, stream.name),
    }),
  };
}

/** Certificates and money: what was promised of the range, against what is there. Sightings pass through once more, in narrow rows. */
async function vouchedFor(
  inspection: Inspection,
  stream: Stream,
  batches: readonly Batch[],
  range: TimeRange | null,
  { engine, folder }: Scratch,
  findings: Findings,
): Promise<Pick<VerifyReport, 'certificates' | 'money'>> {
  const { store, warehouse, clock } = inspection;
  const bench = { engine, folder, bring: (file: BatchFile, path: string) => bringFile(store, file, path) };
  const rawKeptSince = clock.now() - RETENTION;
  const loaded = new Set((await warehouse.ledger(stream.name)).map((entry) => entry.batch));
  const certificates = await verifyCertificates({ store, stream, batches, loaded, range, bench, findings, rawKeptSince });
  const money = await verifyMoney({
    warehouse,
    stream,
    loaded: batches.filter(({ id }) => loaded.has(id)),
    range: { from: Math.max(range?.from ?? rawKeptSince, rawKeptSince), to: range?.to ?? Number.MAX_SAFE_INTEGER },
    bench,
    findings,
    readPage: (key) => readEvidence(inspection, stream, key),
  });
  return { certificates, money };
}

function rangeOf({ from, to }: VerifyOptions): TimeRange | null {
  if (from === undefined && to === undefined) return null;
  return { from: from ?? 0, to: to ?? Number.MAX_SAFE_INTEGER };
}

const isInRange = (batch: Batch, raw: RawFacts, range: TimeRange | null): boolean =>
  range === null || batch.pages.some((page) => raw.pages.has(page.key));

/** What the ledger says was loaded is still there to be explained. */
function verifyLedger(
  stream: Stream,
  ledger: readonly LedgerEntry[],
  published: PublishedBatches,
  raw: RawFacts,
  range: TimeRange | null,
  now: Micros,
  findings: Findings,
): void {
  const known = new Map(published.batches.map((batch) => [batch.id, batch]));
  const lost = new Set<string>();
  for (const { batch, windowStart, windowEnd } of ledger) {
    const key = batchKey(stream.name, batch);
    if (!known.has(batch) && !published.unreadable.includes(key)) findings.add('batch missing', key);
    if (windowStart === null || windowEnd === null || windowEnd < now - RETENTION) continue;
    const window = { start: windowStart, end: windowEnd };
    const wanted = range === null || overlaps(window, range);
    if (wanted && !raw.windows.has(windowId(window))) lost.add(`${formatInstant(windowStart)} to ${formatInstant(windowEnd)}`);
  }
  for (const window of lost) findings.add('manifest missing', window);
}

/** Again where something was loaded meanwhile: the sightings must be those of the batches that the table held as it was read. */
async function compareTable(
  inspection: Inspection,
  stream: Stream,
  batches: readonly Batch[],
  first: readonly LedgerEntry[],
  range: TimeRange | null,
  scratch: Scratch,
  findings: Findings,
): Promise<TableFacts> {
  let ledger = first;
  let known = batches;
  for (let attempt = 1; ; attempt++) {
    findings.forget(...ROW_KINDS);
    const loaded = new Set(ledger.map((entry) => entry.batch));
    const table = await verifyTable(
      inspection,
      stream,
      known.filter((batch) => loaded.has(batch.id)),
      range,
      scratch,
      findings,
    );
    const after = await inspection.warehouse.ledger(stream.name);
    if (after.length === ledger.length) return table;
    if (attempt === COMPARISONS) {
      findings.forget(...ROW_KINDS);
      findings.add('table moved', `${after.length - ledger.length} batches were loaded meanwhile`);
      return table;
    }
    known = (await publishedBatches(inspection.store, stream.name)).batches;
    ledger = after;
  }
}

async function coverageOf(
  { store }: Inspection,
  stream: Stream,
  raw: RawFacts,
  head: Head | null,
  ledger: readonly LedgerEntry[],
  range: TimeRange | null,
): Promise<VerifyReport['coverage']> {
  const committed = raw.manifests.filter(({ window }) => !head?.open.some((open) => sameWindow(open, window)));
  const windows = [
    ...committed.map(({ window }) => ({ kind: window.kind, from: window.start, to: window.end })),
    ...ledger.flatMap(ledgerWindow),
    // A push or a lookup says what came in a stretch of the clock, not that nothing is missing from it.
  ].filter(({ kind }) => !provesNothing(kind));
  const starts = windows.filter((window) => window.kind === 'poll').map((window) => window.from);
  // The head remembers where it all began: a first window that is gone would otherwise make the whole begin later.
  if (head?.since !== null && head?.since !== undefined) starts.push(head.since);
  if (!head || head.watermark === null || starts.length === 0) return { from: null, to: null, gaps: [] };
  const whole: Stretch = { from: starts.reduce((a, b) => Math.min(a, b)), to: head.watermark };
  const { within, gaps } = coverageGaps(whole, windows, await openGaps(store, stream, committed), range);
  return {
    from: formatInstant(within.from),
    to: formatInstant(within.to),
    gaps: gaps.map((gap) => ({ from: formatInstant(gap.from), to: formatInstant(gap.to), deadLetter: gap.deadLetter })),
  };
}

const ledgerWindow = ({ windowKind, windowStart, windowEnd }: LedgerEntry) =>
  windowKind === null || windowStart === null || windowEnd === null ? [] : [{ kind: windowKind, from: windowStart, to: windowEnd }];

/** A manifest names the gaps of its window: one whose letter was removed is open, whoever removed it. */
async function openGaps(store: Inspection['store'], stream: Stream, manifests: readonly KnownManifest[]): Promise<CoverageGap[]> {
  const open = await listDeadLetters(store, stream.name, 'open');
  const known = new Set<string>();
  for await (const { key } of store.list(deadLetterPrefix(stream.name))) known.add(key.replace(/^.*\/|(\.resolved)?\.json$/g, ''));
  return [
    ...open.flatMap(({ letter }) => (letter.gap ? [{ ...letter.gap, deadLetter: letter.id }] : [])),
    ...manifests.flatMap(({ gaps }) => gaps.filter(({ deadLetter }) => !known.has(deadLetter))),
  ];
}
