import { hash } from 'node:crypto';
import { type Breach, type Certificate, linkProblem, type StoredCertificate } from '../certify/certificate.ts';
import { certifiedHours, readBreaches, readCertificate } from '../certify/chain.ts';
import { gather, hourSql, identityColumns, meets, totalsOf, type Workbench } from '../certify/observations.ts';
import type { Micros } from '../clock.ts';
import { isTidemarkError } from '../errors.ts';
import type { Batch } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { certificateKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import { DAY, formatInstant, HOUR } from '../time.ts';
import type { Findings } from './findings.ts';
import { plural } from './text.ts';
import type { VerifyReport } from './verify-report.ts';

export interface CertificateCheck {
  readonly store: ObjectStore;
  readonly stream: Stream;
  readonly batches: readonly Batch[];
  /** Ids of those that the warehouse holds. */
  readonly loaded: ReadonlySet<string>;
  readonly range: TimeRange | null;
  readonly bench: Workbench;
  readonly findings: Findings;
  /** Raw pages, and their manifests, may be gone where a window ended before. */
  readonly rawKeptSince: Micros;
}

/** Hours whose observations are compared at once. */
const HOURS_AT_ONCE = 24;

/**
 * Every certificate is the one that was written: linked to the one before it, its manifests still have their hashes, its batches still give
 * its root; and what is loaded now of its hour is what it counts, and what was noted as a breach of it.
 */
export async function verifyCertificates(check: CertificateCheck): Promise<VerifyReport['certificates']> {
  const { store, stream, range } = check;
  const chain = await verifyChain(check);
  await verifyManifests(check, chain);
  const breaches = await readBreaches(store, stream.name, range);
  for (const hours of together(chain, check.batches)) await verifyHours(check, hours, breaches);
  const [first, last] = [chain[0]?.certificate, chain.at(-1)?.certificate];
  return {
    hours: chain.length,
    from: first ? formatInstant(first.hour) : null,
    to: last ? formatInstant(last.hour + HOUR) : null,
    last: chain.at(-1)?.sha256 ?? null,
    breaches: breaches.map(({ hour, batch, cause, late, changed }) => ({ hour: formatInstant(hour), batch, cause, late, changed })),
  };
}

async function verifyChain({ store, stream, range, findings }: CertificateCheck): Promise<StoredCertificate[]> {
  const hours = await certifiedHours(store, stream.name, range);
  const chain: StoredCertificate[] = [];
  let before = hours[0] !== undefined && range ? await readOrNull(store, stream, hours[0] - HOUR) : null;
  let isKnown = true;
  for (const hour of hours) {
    const stored = await readOrNull(store, stream, hour);
    const key = certificateKey(stream.name, hour);
    if (!stored || stored.certificate.hour !== hour || stored.certificate.stream !== stream.name)
      findings.add('certificate unreadable', `${key}: not the document that was written`);
    else {
      const problem = isKnown ? linkProblem(before, stored.certificate) : null;
      if (problem !== null) findings.add('certificate chain broken', `${key}: ${problem}`);
      chain.push(stored);
    }
    isKnown = stored !== null;
    before = stored;
  }
  return chain;
}

async function readOrNull(store: ObjectStore, stream: Stream, hour: Micros): Promise<StoredCertificate | null> {
  try {
    return await readCertificate(store, stream.name, hour);
  } catch (error) {
    if (isTidemarkError(error, 'CORRUPT')) return null;
    throw error;
  }
}

/** A manifest names its pages by their hashes: with it, every byte of the hour's pages is vouched for. */
async function verifyManifests({ store, findings, rawKeptSince }: CertificateCheck, chain: readonly StoredCertificate[]): Promise<void> {
  const windows = new Map(
    chain.flatMap(({ certificate }) => certificate.windows.map((window) => [`${window.manifest} ${window.sha256}`, window])),
  );
  for (const { manifest, sha256, end } of windows.values()) {
    const object = await store.get(manifest);
    if (!object && end >= rawKeptSince) findings.add('certificate differs', `${manifest}: certified, and not there any more`);
    else if (object && hash('sha256', object.body) !== sha256)
      findings.add('certificate differs', `${manifest}: not the manifest that was certified`);
  }
}

/** Neighbouring hours that name the same batches, as far as those reach into them, so that their sightings are brought once. */
function together(chain: readonly StoredCertificate[], batches: readonly Batch[]): Certificate[][] {
  const known = new Map(batches.map((batch) => [batch.id, batch]));
  const reaching = (ids: ReadonlySet<string>, hour: Micros): string =>
    [...ids]
      .filter((id) => meets(known.get(id) ?? NOWHERE, { from: hour, to: hour + HOUR }))
      .sort()
      .join();
  const groups: Certificate[][] = [];
  for (const { certificate } of chain) {
    const group = groups.at(-1) ?? [];
    const all = [...group, certificate];
    const ids = new Set(all.flatMap((one) => one.batches));
    const fits =
      group.at(-1)?.hour === certificate.hour - HOUR &&
      group.length < HOURS_AT_ONCE &&
      all.every((one) => reaching(ids, one.hour) === reaching(new Set(one.batches), one.hour));
    if (fits) group.push(certificate);
    else groups.push([certificate]);
  }
  return groups;
}

const NOWHERE = { minTime: null, maxTime: null };

async function verifyHours(check: CertificateCheck, hours: readonly Certificate[], breaches: readonly Breach[]): Promise<void> {
  const { stream, batches, loaded, bench, findings } = check;
  const range = { from: hours[0]?.hour ?? 0, to: (hours.at(-1)?.hour ?? 0) + HOUR };
  const certified = new Set(hours.flatMap((hour) => hour.batches));
  const of = (ids: ReadonlySet<string>): Batch[] => batches.filter(({ id }) => ids.has(id));
  try {
    await gather(bench, 'pinned', { columns: stream, batches: of(certified), range });
    await gather(bench, 'loaded', { columns: stream, batches: of(loaded), range });
  } catch (error) {
    if (!isTidemarkError(error, 'CORRUPT')) throw error;
    findings.add('certificate differs', `${certificateKey(stream.name, range.from)}: ${error.message}`);
    return;
  }
  for (const hour of hours) await verifyTotals(check, hour);
  const key = (row: { hour: Micros }): string => certificateKey(stream.name, row.hour);
  for (const row of await hoursOf(check, 'loaded', 'pinned')) {
    // Each breach counts what was new as its batch came: together they are all that the certificate does not count.
    const noted = breaches.filter(({ hour }) => hour === row.hour).reduce((sum, { late, changed }) => sum + late + changed, 0);
    const silent = row.n - noted;
    if (silent > 0) findings.add('breach unrecorded', `${key(row)}: ${plural(silent, 'observation')} that it does not count`, silent);
  }
  for (const row of await hoursOf(check, 'pinned', 'loaded'))
    findings.add(
      'certificate differs',
      `${key(row)}: ${plural(row.n, 'observation')} that it counts, in no batch that the warehouse holds`,
      row.n,
    );
}

async function verifyTotals({ stream, bench, findings }: CertificateCheck, certificate: Certificate): Promise<void> {
  const totals = await totalsOf(bench, 'pinned', stream, certificate.hour);
  for (const name of ['root', 'observations', 'keys', 'pages', 'records'] as const) {
    if (totals[name] === certificate[name]) continue;
    const message = `${certificateKey(stream.name, certificate.hour)}: its batches give the ${name} ${totals[name]}, it says ${certificate[name]}`;
    findings.add('certificate differs', message);
    return;
  }
}

/** By hour: observations of one table that are not in the other. */
async function hoursOf({ stream, bench }: CertificateCheck, one: string, other: string): Promise<{ hour: Micros; n: number }[]> {
  const identity = identityColumns(stream).join(', ');
  const rows = await bench.engine.rows(
    `SELECT ${hourSql('v0')} AS hour, count(*) AS n FROM ${one} ANTI JOIN ${other} USING (${identity}) GROUP BY hour ORDER BY hour`,
  );
  return rows.map((row) => ({ hour: Number(row['hour']), n: Number(row['n']) }));
}

/** How long raw pages, and with them manifests, are kept. */
export const RETENTION: Micros = 90 * DAY;
