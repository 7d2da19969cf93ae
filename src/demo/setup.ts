import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Micros } from '../clock.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import { type Partner, startPartner } from '../partner/server.ts';
import { HOUR } from '../time.ts';

/** The demo's world: two days of a partner's past, asked in five polls and one sweep, as if hours lay between them. */

/** How far before the last poll each one is made. The first looks back over the lateness bound. */
export const POLLS_BEFORE_END: readonly Micros[] = [6 * HOUR, 4 * HOUR, 2 * HOUR, 1 * HOUR, 0];

const LATENESS = 48 * HOUR;
const WORLD = LATENESS - HOUR + Math.max(...POLLS_BEFORE_END);
/** A page for as many payments as this many seconds bring, so that a world of any rate has about as many pages. */
const SECONDS_A_PAGE = 5000;
/** Pages are no smaller, so that a small world has few of them, and no larger, since the partner allows no more. */
const [SMALLEST_PAGE, LARGEST_PAGE] = [250, 5000];
const KEY = 'demo-key';
const MARKER = '.tidemark-demo';

export interface DemoWorld {
  readonly partner: Partner;
  readonly configuration: string;
  readonly polls: readonly Micros[];
}

export interface WorldSize {
  readonly seed: number;
  readonly now: Micros;
  /** Payments records a second, updates included; settlements are a quarter of it. */
  readonly rate: number;
}

/**
 * Starts the partner and writes the configuration that a user would write, into an empty folder.
 * @throws CONFIG where the folder is not a demo's, or cannot be made.
 */
export async function prepareDemo(folder: string, { seed, now, rate }: WorldSize): Promise<DemoWorld> {
  await emptyFolder(folder);
  const partner = await startPartner({
    seed,
    start: now - WORLD,
    end: now,
    now: now - WORLD,
    keys: [KEY, `${KEY}-settlements`],
    payments: { recordsPerSecond: rate },
    settlements: { recordsPerSecond: rate / 4 },
    faults: 'hostile',
    retryAfterSeconds: 1,
  });
  const configuration = join(folder, 'tidemark.yaml');
  await writeFile(join(folder, 'payments.key'), KEY);
  await writeFile(join(folder, 'settlements.key'), `${KEY}-settlements`);
  await writeFile(configuration, configurationText(partner.url, rate));
  return { partner, configuration, polls: POLLS_BEFORE_END.map((before) => now - before) };
}

/** Only a folder that an earlier demo made, or an empty one, is emptied. */
async function emptyFolder(folder: string): Promise<void> {
  try {
    const entries = existsSync(folder) ? readdirSync(folder) : [];
    if (entries.length > 0 && !entries.includes(MARKER))
      throw unfit(`${folder} is not empty and was not made by a demo`, 'Nothing was touched. Name another folder: --folder DIR.');
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, MARKER), '');
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    throw unfit(`the demo cannot work in ${folder}: ${messageOf(error)}`, 'Name another folder: --folder DIR.');
  }
}

const unfit = (message: string, hint: string): TidemarkError => new TidemarkError({ code: 'CONFIG', message, hint });

const configurationText = (url: string, rate: number): string => `# The demo's configuration. Point it at your own API and it runs the same.
store: file:./store
warehouse: duckdb:./warehouse.duckdb
workers: { threads: 2 }
streams:
  payments:
${sourceText(`${url}/events`, 'event_id', 'payments.key', pageSizeFor(rate))}
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    latestBy: [environment, transaction_id]
    poll: { every: 5m, outOfOrder: 2h, lateness: 48h, deadline: 15m }
    personal: [payload.customer.email, payload.customer.name, payload.customer.ip]
  settlements:
${sourceText(`${url}/settlements`, 'vendor_txn_id', 'settlements.key', Math.ceil(pageSizeFor(rate) / 2))}
    key: [vendor_txn_id]
    version: [updated_at]
    poll: { every: 1h, outOfOrder: 2h, lateness: 48h, deadline: 2h }
    quality:
      rows: { amount: "present and >= 0", currency: "in USD, CAD, MXN" }
`;

const sourceText = (list: string, id: string, secret: string, pageSize: number): string => `    source:
      list: ${list}
      lookup: ${list}/{${id}}
      auth: { bearer: file:./${secret} }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: ${pageSize}
      requestsPerMinute: 1000
      timeout: 2s
      attempts: 4`;

const pageSizeFor = (rate: number): number => Math.min(LARGEST_PAGE, Math.max(SMALLEST_PAGE, Math.round(rate * SECONDS_A_PAGE)));
