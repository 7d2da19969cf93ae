import { MoneySum } from '../certify/money.ts';
import { parseExact } from '../json/exact.ts';
import type { LoadPreview, PreviewKind, PreviewMoney, PreviewSample } from '../load/warehouse.ts';

/** What loads would change, added up. */
export interface PreviewTotals {
  /** Rows that would change nothing. */
  readonly same: number;
  /** In ascending order. */
  readonly days: readonly DayTotals[];
  /** How many rows that are there would have another value in each field. */
  readonly fields: Readonly<Record<string, number>>;
  readonly samples: readonly PreviewSample[];
}

export interface DayTotals extends Readonly<Record<PreviewKind, number>> {
  /** Of a day in UTC of the version time. */
  readonly day: string;
  /** Of the rows that would change, where that changes a sum: by currency, or by derived column. */
  readonly money: readonly { readonly unit: string; readonly before: string; readonly after: string }[];
}

/** Samples of each kind. */
const SAMPLES = 5;

interface Day {
  readonly rows: Record<PreviewKind, number>;
  readonly before: MoneySum;
  readonly after: MoneySum;
}

export interface PreviewSums {
  same: number;
  readonly days: Map<string, Day>;
  readonly fields: Record<string, number>;
  readonly samples: PreviewSample[];
  totals(): PreviewTotals;
}

export function previewSums(): PreviewSums {
  const sums: PreviewSums = {
    same: 0,
    days: new Map(),
    fields: {},
    samples: [],
    totals: () => ({
      same: sums.same,
      days: [...sums.days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, totals]) => dayTotals(day, totals)),
      fields: sums.fields,
      samples: sums.samples,
    }),
  };
  return sums;
}

export function addPreview(sums: PreviewSums, preview: LoadPreview): void {
  sums.same += preview.same;
  for (const { day, kind, rows } of preview.days) dayOf(sums, day).rows[kind] += rows;
  for (const { name, rows } of preview.fields) sums.fields[name] = (sums.fields[name] ?? 0) + rows;
  for (const tally of preview.money) {
    const { before, after } = dayOf(sums, tally.day);
    addMoney(before, tally, tally.before);
    addMoney(after, tally, tally.after);
  }
  for (const sample of preview.samples)
    if (sums.samples.filter(({ kind }) => kind === sample.kind).length < SAMPLES) sums.samples.push(sample);
}

function dayOf({ days }: PreviewSums, day: string): Day {
  const known = days.get(day) ?? { rows: { inserted: 0, updated: 0, reread: 0 }, before: new MoneySum(), after: new MoneySum() };
  days.set(day, known);
  return known;
}

function addMoney(sum: MoneySum, { label, rows }: PreviewMoney, { amount, currency }: PreviewMoney['before']): void {
  if (amount === null) return;
  const named = currency === null ? null : parseExact(currency);
  // A derived column is told apart from the money itself, and needs no currency.
  const unit = label === '' ? named : typeof named === 'string' ? `${label} ${named}` : label;
  sum.add(unit, parseExact(amount), rows);
}

function dayTotals(day: string, { rows, before, after }: Day): DayTotals {
  const [had, has] = [before, after].map((sum) => new Map(sum.totals().sums.map(({ currency, amount }) => [currency, amount])));
  const units = [...new Set([...(had?.keys() ?? []), ...(has?.keys() ?? [])])].sort();
  const money = units.map((unit) => ({ unit, before: had?.get(unit) ?? '0', after: has?.get(unit) ?? '0' }));
  return { day, ...rows, money: money.filter((sum) => sum.before !== sum.after) };
}
