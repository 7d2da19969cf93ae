import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import { distinct, type LetterRepair, type RepairOptions, repairByLookup } from '../fetch/letter-lookup.ts';
import type { LookedUp, LookupKey } from '../fetch/lookup.ts';
import { type Lookups, lookUp } from '../fetch/lookups.ts';
import type { DeadLetter } from '../manifest/documents.ts';
import type { Lease } from '../manifest/lease.ts';
import { readHead } from '../manifest/state.ts';
import { createJson } from '../store/json.ts';
import { candidateKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';
import type { StreamReport } from './report.ts';
import { runStreams } from './run.ts';
import { openGaps } from './settle-window.ts';
import { safeWatermark } from './watermark.ts';

export interface LookupReport extends Lookups {
  /** Candidates that somebody had an answer for already. */
  readonly known: number;
  /** What became of the records on their way into the warehouse. */
  readonly settled: readonly StreamReport[];
}

/** Looks keys up, and takes what comes all the way to the warehouse. */
export async function lookUpKeys(context: Context, stream: Stream, keys: readonly LookupKey[]): Promise<LookupReport> {
  const lookups = await withLease(context, stream, (lease) => lookUp(context.fetchEffects(stream), stream, lease, distinct(keys)));
  return { ...lookups, known: 0, settled: await settled(context, stream) };
}

/**
 * Looks up what a configured query of the warehouse names: keys of which something speaks for a record that never came. It is a hint and
 * no proof, so each is asked for once, and its answer noted, also that it is not there.
 * @param again asks for all of them whether or not they were before.
 */
export async function lookUpCandidates(context: Context, stream: Stream, name: string, again: boolean): Promise<LookupReport> {
  const named = distinct(await candidates(context, stream, name));
  const known = new Set<LookupKey>();
  if (!again) for (const key of named) if (await context.store.head(noteKey(stream, key))) known.add(key);
  const report = await lookUpKeys(
    context,
    stream,
    named.filter((key) => !known.has(key)),
  );
  for (const each of report.lookedUp) if (each.outcome !== 'failed') await note(context, stream, each);
  return { ...report, known: known.size };
}

const noteKey = (stream: Stream, key: LookupKey): string => candidateKey(stream.name, JSON.stringify(key));

async function note({ store, clock }: Context, stream: Stream, lookedUp: LookedUp): Promise<void> {
  const at: Micros = clock.now();
  await createJson(store, noteKey(stream, lookedUp.key), { format: 1, stream: stream.name, ...lookedUp, at });
}

/** @throws CONFIG where there is no such query, or its rows are no keys. */
async function candidates({ warehouse }: Context, stream: Stream, name: string): Promise<LookupKey[]> {
  const query = stream.candidates?.[name];
  if (query === undefined) throw noCandidates(stream, name);
  const rows = await warehouse.query(query);
  return rows.map((row) => stream.key.map((column) => column.constant ?? textOf(row[column.name])));
}

const textOf = (value: unknown): string | null =>
  ['string', 'number', 'bigint'].includes(typeof value) ? `${value as string | number | bigint}` : null;

function noCandidates({ name, candidates: named = {} }: Stream, asked: string): TidemarkError {
  const names = Object.keys(named);
  return new TidemarkError({
    code: 'CONFIG',
    message: `${name} has no candidates ${asked}`,
    hint: names.length > 0 ? `Configured are: ${names.join(', ')}.` : `Nothing was asked. Write a query under streams.${name}.candidates.`,
  });
}

/** Looks records up in place of a letter's page, and takes them all the way to the warehouse. */
export async function repairLetter(
  context: Context,
  stream: Stream,
  id: string,
  options: RepairOptions,
): Promise<LetterRepair & Pick<LookupReport, 'settled'>> {
  const repair = await withLease(context, stream, (lease) => repairByLookup(context.fetchEffects(stream), stream, lease, id, options));
  const reports = await settled(context, stream);
  if (repair.outcome === 'resolved' && repair.letter.gap) await moveOn(context, stream, repair.letter.gap);
  return { ...repair, settled: reports };
}

/** The warehouse's watermark waited for this gap: it goes on to the next thing that it has to wait for. */
async function moveOn(context: Context, stream: Stream, gap: NonNullable<DeadLetter['gap']>): Promise<void> {
  const head = (await readHead(context.store, stream.name))?.head;
  const loaded = await context.warehouse.watermark(stream.name);
  if (!head || loaded === null) return;
  const gaps = await openGaps(context, stream);
  const waited = safeWatermark(head, null, [...gaps, gap]);
  const safe = safeWatermark(head, null, gaps);
  // A warehouse that lags behind even that was lost, or is an older copy: a replay brings it back.
  if (waited !== null && safe !== null && loaded >= waited && safe > loaded) await context.warehouse.advance(stream.name, safe);
}

const settled = (context: Context, stream: Stream): Promise<StreamReport[]> =>
  runStreams(context, [stream], { once: true, sweep: false, until: null, stages: ['normalize', 'load'] });

async function withLease<T>(context: Context, stream: Stream, use: (lease: Lease) => Promise<T>): Promise<T> {
  const lease = await context.lease(stream);
  try {
    return await use(lease);
  } finally {
    await lease.release();
  }
}
