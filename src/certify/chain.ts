import type { Micros } from '../clock.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import { checkFormat } from '../manifest/format.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { createJson, getJson } from '../store/json.ts';
import { breachKey, breachPrefix, certificateDayPrefix, certificateKey, certificatePrefix, parseCertificateKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { DAY, HOUR } from '../time.ts';
import { type Breach, type Certificate, certificateHash, type StoredCertificate } from './certificate.ts';

/** Certificates and breaches in the store. Both are created, and never replaced. */

/** @returns null where the hour is not certified. @throws CORRUPT */
export async function readCertificate(store: ObjectStore, stream: string, hour: Micros): Promise<StoredCertificate | null> {
  const key = certificateKey(stream, hour);
  const object = await store.get(key);
  if (!object) return null;
  const certificate = parse(key, object.body);
  checkFormat(key, certificate);
  return { certificate, sha256: certificateHash(object.body) };
}

function parse(key: string, body: Buffer): Certificate {
  try {
    return JSON.parse(body.toString()) as Certificate;
  } catch (cause) {
    const hint = 'Nothing was changed. The object was altered outside Tidemark: restore it from a copy or an older version.';
    throw new TidemarkError({ code: 'CORRUPT', message: `${key} is not a certificate: ${messageOf(cause)}`, hint, cause });
  }
}

/** Days that are listed one by one; for a longer range one listing of everything is less. */
const LISTED_DAYS = 40;

/** The certified hours that reach into the range, in ascending order. */
export async function certifiedHours(store: ObjectStore, stream: string, range: TimeRange | null): Promise<Micros[]> {
  const prefixes =
    range !== null && range.to - range.from < LISTED_DAYS * DAY ? dayPrefixes(stream, range) : [`${certificatePrefix(stream)}dt=`];
  const hours: Micros[] = [];
  for (const prefix of prefixes) {
    for await (const { key } of store.list(prefix)) {
      const hour = parseCertificateKey(key);
      if (hour !== null && (range === null || (hour < range.to && hour + HOUR > range.from))) hours.push(hour);
    }
  }
  return hours;
}

function dayPrefixes(stream: string, { from, to }: TimeRange): string[] {
  const first = Math.floor(from / DAY);
  const last = Math.floor((to - 1) / DAY);
  return Array.from({ length: last - first + 1 }, (_, day) => certificateDayPrefix(stream, (first + day) * DAY));
}

/** The newest certificate: hours are certified one after the other, so the days are looked through from `now` back to `since`. */
export async function lastCertifiedHour(store: ObjectStore, stream: string, since: Micros, now: Micros): Promise<Micros | null> {
  for (let day = Math.floor(now / DAY); day >= Math.floor(since / DAY); day--) {
    const last = (await certifiedHours(store, stream, { from: day * DAY, to: (day + 1) * DAY })).at(-1);
    if (last !== undefined) return last;
  }
  return null;
}

/**
 * Writes the certificate of an hour, once. @throws CONFLICT where another stands there: two processes certified the hour and counted
 * different things, which must not be passed over.
 */
export async function writeCertificate(store: ObjectStore, certificate: Certificate): Promise<StoredCertificate> {
  const key = certificateKey(certificate.stream, certificate.hour);
  await createJson(store, key, certificate);
  const standing = await readCertificate(store, certificate.stream, certificate.hour);
  if (standing && standing.certificate.root === certificate.root && standing.certificate.previous === certificate.previous) return standing;
  throw new TidemarkError({
    code: 'CONFLICT',
    message: `${key} exists and says something else than this process found`,
    hint: 'The certificate that stands is kept. `tidemark verify` tells which of both agrees with raw pages and sightings.',
    data: { key, root: certificate.root, standing: standing?.certificate.root ?? null },
  });
}

/** Writing it again, by a second attempt at the same load, changes nothing. */
export async function writeBreach(store: ObjectStore, breach: Breach): Promise<void> {
  await createJson(store, breachKey(breach.stream, breach.hour, breach.batch), breach);
}

/** Every breach of hours that reach into the range, by hour. @throws CORRUPT */
export async function readBreaches(store: ObjectStore, stream: string, range: TimeRange | null): Promise<Breach[]> {
  const breaches: Breach[] = [];
  for await (const { key } of store.list(breachPrefix(stream))) {
    const document = await getJson<Breach>(store, key);
    if (!document) continue;
    checkFormat(key, document.value);
    const { hour } = document.value;
    if (range === null || (hour < range.to && hour + HOUR > range.from)) breaches.push(document.value);
  }
  return breaches;
}
