import type { Certificate, CertifiedWindow, StoredCertificate } from '../certify/certificate.ts';
import { lastCertifiedHour, readCertificate, writeCertificate } from '../certify/chain.ts';
import { certifiableEnd, firstHour, HOURS_A_PASS, judgeHour, type SeenWindow } from '../certify/judge.ts';
import { landedMoney } from '../certify/landed-money.ts';
import { readLooks } from '../certify/looks.ts';
import { whoBroughtNew } from '../certify/news.ts';
import { firstWindow, gather, meets, totalsOf, type Workbench } from '../certify/observations.ts';
import type { Micros } from '../clock.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import { readEvidence } from '../inspect/page-evidence.ts';
import type { LedgerEntry } from '../load/warehouse.ts';
import type { Batch, DeadLetter, Head, Window } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import type { Lease } from '../manifest/lease.ts';
import { latenessReach } from '../reach.ts';
import { getJson } from '../store/json.ts';
import { batchKey, windowName } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { formatInstant, HOUR } from '../time.ts';
import { noteBreaches } from './breach.ts';
import type { Context } from './context.ts';
import { withWorkbench } from './workbench.ts';

export interface Certified {
  /** Hours that this pass certified. */
  readonly hours: number;
  /** A stretch that has to be asked once more before it can be certified; null where there is none. */
  readonly ask: Window | null;
}

const NOTHING: Certified = { hours: 0, ask: null };

/** Sightings that one pass compares, where an hour alone has no more. */
const SIGHTINGS_A_PASS = 5_000_000;
/** The share of a minute's requests that asking once more may take: live polls wait for it. */
const ASK_SHARE = 0.5;

/**
 * Certifies the hours that have become certain, one after the other, each with a link to the one before. Bounded: what is left is for the
 * next pass. Changes nothing but `certificates/`. @throws CORRUPT where sightings are not what was published; STORE; CONFLICT.
 */
export async function certify(context: Context, stream: Stream, lease: Lease): Promise<Certified> {
  const due = await dueRange(context, stream, lease.head());
  if (!due) return NOTHING;
  const ledger = await context.warehouse.ledger(stream.name);
  const range = bounded(due.range, ledger);
  const batches = await batchesOf(context, stream, ledger, range);
  const windows = await readLooks(context.store, stream.name, range, context.clock.now());
  return withWorkbench(context, async (bench) => {
    await gather(bench, 'seen', { columns: stream, batches, range, marks: [firstWindow(windows.map(windowName))] });
    const job: Job = { context, stream, lease, bench, range, ledger, batches, windows, previous: due.previous };
    const certified = await certifyHours(job, await whoBroughtNew(bench, 'seen', range, windows, latenessReach(stream.poll)));
    await auditLatecomers(job, certified.hours);
    return certified;
  });
}

interface Job {
  readonly context: Context;
  readonly stream: Stream;
  readonly lease: Lease;
  readonly bench: Workbench;
  readonly range: TimeRange;
  readonly ledger: readonly LedgerEntry[];
  readonly batches: readonly Batch[];
  readonly windows: readonly SeenWindow[];
  readonly previous: StoredCertificate | null;
}

/** The hours after the last certified one that nothing stands in the way of. */
async function dueRange(
  context: Context,
  stream: Stream,
  head: Head,
): Promise<{ readonly range: TimeRange; readonly previous: StoredCertificate | null } | null> {
  const { store, warehouse, clock } = context;
  const first = firstHour(head);
  const reach = latenessReach(stream.poll);
  if (head.since === null || first === null || first + HOUR > clock.now() - reach) return null;
  const last = await lastCertifiedHour(store, stream.name, head.since, clock.now() - reach);
  const from = last === null ? first : last + HOUR;
  if (from + HOUR > clock.now() - reach) return null;
  const [loaded, gaps] = [await warehouse.watermark(stream.name), await letterGaps(context, stream, 'open')];
  const end = certifiableEnd(clock.now(), from, { head, loaded, gaps, reach });
  if (end === null || end <= from) return null;
  const previous = last === null ? null : await readCertificate(store, stream.name, last);
  return { range: { from, to: Math.min(end, from + HOURS_A_PASS * HOUR) }, previous };
}

/** As many hours as the bound on sightings lets through; one in any case. */
function bounded({ from, to }: TimeRange, ledger: readonly LedgerEntry[]): TimeRange {
  const sightings = (end: Micros): number =>
    ledger.filter((entry) => meets(entry, { from, to: end })).reduce((sum, { distinct }) => sum + distinct, 0);
  let end = to;
  while (end > from + HOUR && sightings(end) > SIGHTINGS_A_PASS) end -= HOUR;
  return { from, to: end };
}

async function batchesOf(context: Context, stream: Stream, ledger: readonly LedgerEntry[], range: TimeRange): Promise<Batch[]> {
  const documents: Batch[] = [];
  for (const { batch } of ledger.filter((entry) => meets(entry, range))) {
    const document = await getJson<Batch>(context.store, batchKey(stream.name, batch));
    if (document) documents.push(document.value);
  }
  return documents;
}

async function certifyHours(job: Job, broughtNew: (window: SeenWindow, hour: Micros) => boolean): Promise<Certified> {
  const { context, stream, range, windows } = job;
  const reach = latenessReach(stream.poll);
  const letters = await letterGaps(context, stream, 'resolved');
  let previous = job.previous;
  let hours = 0;
  for (let hour = range.from; hour < range.to; hour += HOUR) {
    context.signal?.throwIfAborted();
    const judged = judgeHour(hour, windows, reach, (window) => broughtNew(window, hour));
    if (judged.verdict === 'ask')
      return { hours, ask: judged.after <= context.clock.now() ? await stretchToAsk(job, hour, broughtNew) : null };
    // Somebody may have loaded something since: then this pass knows too little, and the next one looks again.
    if (!(await isLedgerStill(job))) return { hours, ask: null };
    previous = await certifyHour(job, hour, judged.agreed, previous, letters);
    hours++;
  }
  return { hours, ask: null };
}

async function isLedgerStill({ context, stream, ledger, lease }: Job): Promise<boolean> {
  lease.lost.throwIfAborted();
  return (await context.warehouse.ledger(stream.name)).length === ledger.length;
}

async function certifyHour(
  { context, stream, bench, batches, windows }: Job,
  hour: Micros,
  agreed: readonly SeenWindow[],
  previous: StoredCertificate | null,
  letters: readonly LetterGap[],
): Promise<StoredCertificate> {
  const range = { from: hour, to: hour + HOUR };
  const totals = await totalsOf(bench, 'seen', stream, hour);
  const certificate: Certificate = {
    format: 1,
    stream: stream.name,
    hour,
    ...totals,
    rows: await countRows(context, stream, range),
    money: stream.money
      ? await landedMoney(bench, 'seen', stream, stream.money, range, (page) => readEvidence(context, stream, page))
      : null,
    windows: windows.filter((window) => window.start < range.to && window.end > range.from).map((window) => certified(window, agreed)),
    batches: batches
      .filter((batch) => meets(batch, range))
      .map(({ id }) => id)
      .sort(),
    gaps: letters.filter((gap) => gap.from < range.to && gap.to >= range.from),
    lateness: stream.poll.lateness,
    previous: previous?.sha256 ?? null,
    certifiedAt: context.clock.now(),
  };
  const stored = await writeCertificate(context.store, certificate);
  context.log.info(
    { stream: stream.name, hour: formatInstant(hour), observations: totals.observations, root: totals.root },
    'hour certified',
  );
  return stored;
}

function certified(window: SeenWindow, agreed: readonly SeenWindow[]): CertifiedWindow {
  const { kind, start, end, manifest, sha256, askedAt, committedAt } = window;
  return { kind, start, end, manifest, sha256, askedAt, committedAt, agreed: agreed.includes(window) };
}

async function countRows(context: Context, stream: Stream, { from, to }: TimeRange): Promise<number> {
  let rows = 0;
  for await (const tally of context.warehouse.tally(stream, from, to)) rows += tally.rows;
  return rows;
}

type LetterGap = Certificate['gaps'][number];

async function letterGaps(context: Context, stream: Stream, which: 'open' | 'resolved'): Promise<LetterGap[]> {
  const letters = await listDeadLetters(context.store, stream.name, which);
  const gapOf = ({ id, gap }: DeadLetter): LetterGap[] => (gap ? [{ from: gap.from, to: gap.to, deadLetter: id }] : []);
  return letters.flatMap(({ letter }) => gapOf(letter));
}

/** The first hour that nobody vouches for, and those behind it of which that is true as well, as far as the budget lets through. */
async function stretchToAsk(job: Job, first: Micros, broughtNew: (window: SeenWindow, hour: Micros) => boolean): Promise<Window> {
  const { stream, bench, range, windows, context } = job;
  let end = first + HOUR;
  let pages = 0;
  for (let hour = first; hour < range.to; hour += HOUR) {
    const judged = judgeHour(hour, windows, latenessReach(stream.poll), (window) => broughtNew(window, hour));
    pages += 1 + (await totalsOf(bench, 'seen', stream, hour)).observations / stream.source.pageSize;
    const fits = hour === first || pages <= stream.source.requestsPerMinute * ASK_SHARE;
    if (judged.verdict !== 'ask' || judged.after > context.clock.now() || !fits) break;
    end = hour + HOUR;
  }
  return { kind: 'sweep', start: first, end };
}

/** What was loaded by somebody else while the hours were certified: it did not see their certificates, and they do not count it. */
async function auditLatecomers({ context, stream, ledger, range }: Job, hours: number): Promise<void> {
  if (hours === 0) return;
  const known = new Set(ledger.map((entry) => entry.batch));
  for (const { batch } of await context.warehouse.ledger(stream.name)) {
    if (known.has(batch)) continue;
    const document = await getJson<Batch>(context.store, batchKey(stream.name, batch));
    if (document && meets(document.value, range)) await noteBreaches(context, stream, document.value);
  }
}
