import { landedMoney, type ReadPage } from '../certify/landed-money.ts';
import { MoneySum, type MoneyTotals } from '../certify/money.ts';
import { gather, keyColumns, versionColumns, type Workbench } from '../certify/observations.ts';
import { isTidemarkError } from '../errors.ts';
import { parseExact } from '../json/exact.ts';
import type { Warehouse } from '../load/warehouse.ts';
import type { Batch } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import type { Stream } from '../stream.ts';
import type { Findings } from './findings.ts';
import type { VerifyReport } from './verify-report.ts';

export interface MoneyCheck {
  readonly warehouse: Warehouse;
  readonly stream: Stream;
  /** Batches that the warehouse holds. */
  readonly loaded: readonly Batch[];
  readonly range: TimeRange;
  readonly bench: Workbench;
  readonly findings: Findings;
  readPage(key: string): Promise<ReadPage>;
}

/**
 * The money of the rows of the range, added up twice: from the landed bytes of the observations that win, and from the table. Null where no
 * money is configured, or sightings cannot be read, which other checks tell.
 */
export async function verifyMoney(check: MoneyCheck): Promise<VerifyReport['money']> {
  const { warehouse, stream, loaded, range, bench, findings } = check;
  if (!stream.money) return null;
  try {
    // Whatever is later may win against what is in the range.
    await gather(bench, 'later', { columns: stream, batches: loaded, range: { from: range.from, to: Number.MAX_SAFE_INTEGER } });
  } catch (error) {
    if (isTidemarkError(error, 'CORRUPT')) return null;
    throw error;
  }
  const order = [...versionColumns(stream), 'h'].map((column) => `${column} DESC`).join(', ');
  await bench.engine.run(
    `CREATE OR REPLACE TABLE winning AS FROM later QUALIFY row_number() OVER (PARTITION BY ${keyColumns(stream).join(', ')} ORDER BY ${order}) = 1`,
  );
  const landed = await landedMoney(bench, 'winning', stream, stream.money, range, (key) => check.readPage(key));
  const table = await tableMoney(warehouse, stream, range);
  return compare(landed, table, findings);
}

async function tableMoney(warehouse: Warehouse, stream: Stream, { from, to }: TimeRange): Promise<MoneyTotals> {
  const sum = new MoneySum();
  for await (const { currency, amount, rows } of warehouse.tally(stream, from, to)) sum.add(exact(currency), exact(amount), rows);
  return sum.totals();
}

const exact = (json: string | null) => (json === null ? null : parseExact(json));

function compare(landed: MoneyTotals, table: MoneyTotals, findings: Findings): NonNullable<VerifyReport['money']> {
  const said = ({ sums }: MoneyTotals, of: string) => sums.find(({ currency }) => currency === of) ?? { amount: '0', records: 0 };
  const currencies = [...new Set([...landed.sums, ...table.sums].map(({ currency }) => currency))].sort();
  const rows = currencies.map((currency) => ({ currency, landed: said(landed, currency), table: said(table, currency) }));
  for (const { currency, landed: bytes, table: held } of rows) {
    if (bytes.amount === held.amount && bytes.records === held.records) continue;
    findings.add(
      'money differs',
      `${currency}: the landed bytes give ${bytes.amount} in ${bytes.records}, the table ${held.amount} in ${held.records}`,
    );
  }
  if (landed.without !== table.without)
    findings.add('money differs', `without an amount and a currency are ${landed.without} landed records and ${table.without} rows`);
  return rows.map(({ currency, landed: bytes, table: held }) => ({
    currency,
    landed: bytes.amount,
    table: held.amount,
    rows: held.records,
  }));
}
