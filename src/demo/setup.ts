import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import { type Partner, startPartner } from '../partner/server.ts';
import { HOUR } from '../time.ts';

/** The demo's world: two days of a partner's past, asked in five polls and one sweep, as if hours lay between them. */

/** How far before the last poll each one is made. The first looks back over the lateness bound. */
export const POLLS_BEFORE_END: readonly Micros[] = [6 * HOUR, 4 * HOUR, 2 * HOUR, 1 * HOUR, 0];

const LATENESS = 48 * HOUR;
const WORLD = LATENESS - HOUR + Math.max(...POLLS_BEFORE_END);
const PAYMENTS_PER_SECOND = 0.2;
const SETTLEMENTS_PER_SECOND = 0.05;
const KEY = 'demo-key';
const MARKER = '.tidemark-demo';

export interface DemoWorld {
  readonly partner: Partner;
  readonly configuration: string;
  readonly polls: readonly Micros[];
}

/** Starts the partner and writes the configuration that a user would write, into an empty folder. */
export async function prepareDemo(folder: string, seed: number, now: Micros): Promise<DemoWorld> {
  await emptyFolder(folder);
  const partner = await startPartner({
    seed,
    start: now - WORLD,
    end: now,
    now: now - WORLD,
    keys: [KEY, `${KEY}-settlements`],
    payments: { recordsPerSecond: PAYMENTS_PER_SECOND },
    settlements: { recordsPerSecond: SETTLEMENTS_PER_SECOND },
    faults: 'hostile',
    retryAfterSeconds: 1,
  });
  const configuration = join(folder, 'tidemark.yaml');
  await writeFile(join(folder, 'payments.key'), KEY);
  await writeFile(join(folder, 'settlements.key'), `${KEY}-settlements`);
  await writeFile(configuration, configurationText(partner.url));
  return { partner, configuration, polls: POLLS_BEFORE_END.map((before) => now - before) };
}

/** Only a folder that an earlier demo made, or an empty one, is emptied. */
async function emptyFolder(folder: string): Promise<void> {
  const entries = existsSync(folder) ? readdirSync(folder) : [];
  if (entries.length > 0 && !entries.includes(MARKER)) {
    throw new TidemarkError({
      code: 'CONFIG',
      message: `${folder} is not empty and was not made by a demo`,
      hint: 'Nothing was touched. Name another folder: --folder DIR.',
    });
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, MARKER), '');
}

const configurationText = (url: string): string => `# The demo's configuration. Point it at your own API and it runs the same.
store: file:./store
warehouse: duckdb:./warehouse.duckdb
workers: { threads: 2 }
streams:
  payments:
    source:
      list: ${url}/events
      lookup: ${url}/events/{event_id}
      auth: { bearer: file:./payments.key }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: 1000
      requestsPerMinute: 1000
      timeout: 2s
      attempts: 4
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    latestBy: [environment, transaction_id]
    poll: { every: 5m, outOfOrder: 2h, lateness: 48h, deadline: 15m }
    personal: [payload.customer.email, payload.customer.name, payload.customer.ip]
  settlements:
    source:
      list: ${url}/settlements
      lookup: ${url}/settlements/{vendor_txn_id}
      auth: { bearer: file:./settlements.key }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: 500
      requestsPerMinute: 1000
      timeout: 2s
      attempts: 4
    key: [vendor_txn_id]
    version: [updated_at]
    poll: { every: 1h, outOfOrder: 2h, lateness: 48h, deadline: 2h }
    quality:
      rows: { amount: "present and >= 0", currency: "in USD, CAD, MXN" }
`;
