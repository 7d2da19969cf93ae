import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAULT_PROFILES } from '../../src/partner/faults.ts';
import type { Partner } from '../../src/partner/server.ts';
import { type Envelope, get, greatest, recordTexts, withPartner } from './client.ts';

const SIZE = 300;
const profile = { ...FAULT_PROFILES.brutal, mostStalls: 0 };

/** One page by a client that judges what it gets, and asks again a bounded number of times. */
async function ask(partner: Partner, query: string, size: number): Promise<{ page: Envelope; texts: string[] } | 'expired' | 'failed'> {
  for (let attempt = 0; attempt <= profile.mostPerIdentity; attempt += 1) {
    const reply = await get(partner, `/events?page_size=${size}&${query}`).catch(() => null);
    if (reply?.status === 410) return 'expired';
    const page = reply?.status === 200 ? parsed(reply.body) : null;
    const loops = page?.next_cursor && query.endsWith(page.next_cursor);
    if (reply && page && !loops && !(page.has_more && page.data.length < size)) return { page, texts: recordTexts(reply.body.toString()) };
  }
  return 'failed';
}

function parsed(body: Buffer): Envelope | null {
  try {
    return JSON.parse(body.toString()) as Envelope;
  } catch {
    return null;
  }
}

/** A whole chain; what fails at the full size is asked for in small pages, what has expired begins again where it was. */
async function collect(partner: Partner): Promise<string[]> {
  const texts: string[] = [];
  let query = '';
  let latest = '';
  for (;;) {
    const full = await ask(partner, query, SIZE);
    const answer = full === 'failed' ? await ask(partner, query, 50) : full;
    if (answer === 'failed') throw new Error(`retries did not get through: ${query}`);
    if (answer === 'expired') {
      query = `updated_since=${latest}`;
      continue;
    }
    texts.push(...answer.texts);
    if (answer.page.next_cursor === null) return texts;
    latest = answer.page.data.map((record) => String(record['updated_at'])).reduce((a, b) => (a > b ? a : b), latest);
    query = `cursor=${answer.page.next_cursor}`;
  }
}

describe('the brutal partner', () => {
  it('R9: loses nothing to a client with bounded retries: what it collects is the truth', async () => {
    let faults = 0;
    const property = fc.asyncProperty(fc.integer(), async (seed) => {
      const settings = { seed, payments: { recordsPerSecond: 0.05 }, faults: profile, requestsPerMinute: 100_000, gzipShare: 0 };
      const poison = [{ stream: 'payments', at: Date.UTC(2026, 10, 2) * 1000, largestPage: 50 }] as const;
      await withPartner({ ...settings, poison }, async (partner) => {
        const texts = await collect(partner);
        const truth = partner.truth('payments');
        expect(greatest(texts)).toEqual(new Map([...truth].map((item) => [item.key.join(), item.body])));
        expect(new Set(texts).size).toBe(truth.totals.observations);
        expect(partner.stats().faults.poison).toBeGreaterThan(0);
        faults += Object.keys(partner.stats().faults).length;
      });
    });
    await fc.assert(property, { numRuns: 4 });
    expect(faults).toBeGreaterThan(30);
  });
});
