import { parseExact, valueAt } from '../json/exact.ts';
import { numberOf, textOf } from '../load/values.ts';
import type { TimeRange } from '../manifest/landed.ts';
import type { MoneyPaths, Stream } from '../stream.ts';
import { MoneySum, type MoneyTotals } from './money.ts';
import { keyColumns, versionColumns, type Workbench } from './observations.ts';

/** The decoded bytes of a page, and start and end of each of its records. */
export interface ReadPage {
  readonly body: Buffer | null;
  readonly spans: Uint32Array | null;
}

/**
 * The money of each key's last observation in the range, added up from the landed bytes themselves.
 * @param name of a table with columns k…, v…, h, page, position. A page that cannot be read counts as records without money.
 */
export async function landedMoney(
  { engine }: Pick<Workbench, 'engine'>,
  name: string,
  columns: Pick<Stream, 'key' | 'version'>,
  money: MoneyPaths,
  { from, to }: TimeRange,
  readPage: (key: string) => Promise<ReadPage>,
): Promise<MoneyTotals> {
  const order = [...versionColumns(columns), 'h'].map((column) => `${column} DESC`).join(', ');
  const places = engine.stream(`
SELECT page, list(position) AS positions FROM (SELECT page, position FROM ${name} WHERE v0 >= ${from} AND v0 < ${to}
  QUALIFY row_number() OVER (PARTITION BY ${keyColumns(columns).join(', ')} ORDER BY ${order}) = 1) GROUP BY page`);
  const sum = new MoneySum();
  for await (const rows of places) {
    for (const { page, positions } of rows)
      addPage(
        sum,
        await readPage(textOf(page)),
        (positions as unknown[]).map((at) => numberOf(at as number)),
        money,
      );
  }
  return sum.totals();
}

function addPage(sum: MoneySum, { body, spans }: ReadPage, positions: readonly number[], money: MoneyPaths): void {
  for (const position of positions) {
    const [start, end] = spans?.subarray(2 * position, 2 * position + 2) ?? [];
    const record = body && start !== undefined && end !== undefined ? parseExact(body.toString('utf8', start, end)) : null;
    sum.add(valueAt(record, money.currency), valueAt(record, money.amount));
  }
}
