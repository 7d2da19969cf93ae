import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Certificate, linkProblem, type StoredCertificate } from '../../src/certify/certificate.ts';
import { certifiedHours, readCertificate, writeCertificate } from '../../src/certify/chain.ts';
import { type Observation, rootOf } from '../../src/certify/root.ts';
import { measureRecords } from '../../src/json/measure.ts';
import type { Manifest, Receipt } from '../../src/manifest/documents.ts';
import { contentHash } from '../../src/page/record.ts';
import { ALL_STAGES, type Stage } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import { readBody } from '../../src/store/compress.ts';
import { getJson } from '../../src/store/json.ts';
import { certificateKey, rawPrefix, receiptKey } from '../../src/store/keys.ts';
import { HOUR, parseInstant } from '../../src/time.ts';
import { type CertifiedWorld, certifiedWorld, LATENESS, START } from './world.ts';

interface Landed extends Observation {
  readonly time: number;
  readonly amount: string;
  readonly currency: string;
}

/** Every record of every page that landed, read without any of the code that certifies. */
async function landedRecords(world: CertifiedWorld): Promise<Landed[]> {
  const landed: Landed[] = [];
  for await (const { key } of world.store.list(rawPrefix('payments'))) {
    if (!/page-\d+(\.alt-[0-9a-f]+)?\.json\.zst$/.test(key)) continue;
    const body = (await readBody(world.store, key)) ?? Buffer.alloc(0);
    const receipt = (await getJson<Receipt>(world.store, receiptKey(key)))?.value;
    const { spans } = measureRecords(body, receipt?.span ?? { start: 0, end: 0 }, []);
    for (let at = 0; at < spans.length; at += 2) {
      const bytes = body.subarray(spans[at], spans[at + 1]);
      const record = JSON.parse(bytes.toString());
      const time = parseInstant(record.updated_at, 'iso') ?? 0;
      const amount = /"payload":\{"amount":(-?[\d.]+)/.exec(bytes.toString())?.[1] ?? 'none';
      const { currency } = record.payload;
      const version = [String(time), String(record.event_version)];
      landed.push({ key: [record.environment, record.event_id], version, contentHash: contentHash(bytes), time, amount, currency });
    }
  }
  return landed;
}

/** In millionths: whole numbers, so that nothing is rounded. */
function unitsOf(amount: string): bigint {
  const [whole = '', fraction = ''] = amount.split('.');
  return BigInt(whole + fraction.padEnd(6, '0'));
}

describe('R13, R18: hours that have become certain', () => {
  let world: CertifiedWorld;
  let chain: StoredCertificate[];
  const certified: number[] = [];
  const looksFor = async (hours: number): Promise<number> => {
    const { certified: count } = await world.pass(hours);
    certified.push(count);
    return count;
  };

  beforeAll(async () => {
    world = await certifiedWorld();
    for (const hours of [1.5, 5, 29.5, 31, 33]) await looksFor(hours);
    const hours = await certifiedHours(world.store, 'payments', null);
    chain = await Promise.all(hours.map(async (hour) => (await readCertificate(world.store, 'payments', hour)) as StoredCertificate));
  });
  afterAll(() => world.close());

  test('are certified one after the other from the first whole hour on, none of them before the lateness bound has passed', () => {
    expect(chain.map(({ certificate }) => certificate.hour)).toEqual(chain.map((_, at) => START + at * HOUR));
    expect(chain.length).toBeGreaterThanOrEqual(8);
    for (const { certificate } of chain) expect(certificate.certifiedAt).toBeGreaterThanOrEqual(certificate.hour + HOUR + LATENESS);
    expect(certified.slice(0, 2), 'nothing is certain so early').toEqual([0, 0]);
  });

  test('each rest on a look past the bound that brought nothing new, at every instant', () => {
    for (const { certificate } of chain) {
      const agreed = certificate.windows.filter((window) => window.agreed);
      let reached = certificate.hour;
      for (const { start, end, askedAt } of agreed.toSorted((a, b) => a.start - b.start))
        if (start <= reached) reached = Math.max(reached, Math.min(end, askedAt - LATENESS));
      expect(reached).toBeGreaterThanOrEqual(certificate.hour + HOUR);
    }
    // Late records came with the first look past the bound: those hours were asked once more.
    expect(
      chain.some(({ certificate }) =>
        certificate.windows.some(({ agreed, askedAt }) => !agreed && askedAt > certificate.hour + HOUR + LATENESS),
      ),
    ).toBe(true);
  });

  test('have the root, the counts and the money of the landed bytes themselves', async () => {
    const landed = await landedRecords(world);
    let sum = 0;
    for (const { certificate } of chain) {
      const inHour = landed.filter(({ time }) => time >= certificate.hour && time < certificate.hour + HOUR);
      expect(certificate.root).toBe(rootOf(inHour));
      const last = new Map<string, Landed>();
      const rank = ({ version, contentHash: hash }: Observation): string => [...version.map((v) => v.padStart(20, '0')), hash].join();
      for (const one of inHour) {
        const known = last.get(one.key.join());
        if (!known || rank(one) > rank(known)) last.set(one.key.join(), one);
      }
      expect(certificate.keys).toBe(last.size);
      expect(certificate.observations).toBe(new Set(inHour.map((one) => JSON.stringify([one.key, one.version, one.contentHash]))).size);
      const sums = [...Map.groupBy(last.values(), ({ currency }) => currency)].map(([currency, all]) => {
        const units = all.reduce((total, { amount }) => total + unitsOf(amount), 0n);
        return [currency, units, all.length] as const;
      });
      const money = certificate.money?.sums.map(({ currency, amount, records }) => [currency, unitsOf(amount), records]);
      expect(money).toEqual(sums.toSorted(([a], [b]) => (a < b ? -1 : 1)));
      expect(certificate.money?.without).toBe(0);
      sum += certificate.observations;
    }
    expect(sum).toBeGreaterThan(200);
  });

  test('name each manifest by the hash of its bytes', async () => {
    for (const window of chain.flatMap(({ certificate }) => certificate.windows)) {
      const manifest = (await getJson<Manifest>(world.store, window.manifest))?.value;
      expect(manifest?.window).toEqual({ kind: window.kind, start: window.start, end: window.end });
    }
  });

  test('are linked, each to the bytes of the one before, so that whoever changes one is found by the next', async () => {
    for (const [at, { certificate }] of chain.entries()) expect(linkProblem(chain[at - 1] ?? null, certificate)).toBeNull();
    const [first, second, third] = chain as [StoredCertificate, StoredCertificate, StoredCertificate];
    expect(linkProblem({ ...first, sha256: second.sha256 }, second.certificate)).toMatch(/not the one/);
    expect(linkProblem(first, third.certificate)).toMatch(/missing/);
    expect(linkProblem(null, second.certificate)).toMatch(/there is none/);
  });

  test('are never rewritten: what stands stays, and who found something else is told', async () => {
    const { certificate, sha256 } = chain[2] as StoredCertificate;
    const before = await world.store.get(certificateKey('payments', certificate.hour));
    const other: Certificate = { ...certificate, root: 'f'.repeat(64) };
    await expect(writeCertificate(world.store, other)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await writeCertificate(world.store, { ...certificate, certifiedAt: 0 })).sha256, 'the same finding again').toBe(sha256);
    await looksFor(35);
    expect((await world.store.get(certificateKey('payments', certificate.hour)))?.body).toEqual(before?.body);
  });
});

test('R17: stages that are run one by one, as a scheduler does, certify with the last', async () => {
  const world = await certifiedWorld();
  try {
    const certified: Record<Stage, number> = { fetch: 0, normalize: 0, load: 0 };
    for (const hours of [1.5, 5, 29.5, 31, 33]) {
      for (const stage of ALL_STAGES) {
        const options = { once: true, sweep: false, until: null, stages: [stage] };
        const [report] = await world.at(hours, (context) => runStreams(context, [world.payments], options));
        expect(report?.failures).toEqual([]);
        certified[stage] += report?.certified ?? 0;
      }
    }
    expect(certified.normalize).toBe(0);
    expect(certified.fetch + certified.load).toBeGreaterThan(0);
  } finally {
    await world.close();
  }
});
