import { type ExactValue, JsonNumber } from '../json/exact.ts';
import { decomposeNumber } from '../json/number.ts';

/** Sums of money by currency, in plain digits, exact. */
export interface MoneyTotals {
  /** In ascending order of currency. */
  readonly sums: readonly { readonly currency: string; readonly amount: string; readonly records: number }[];
  /** Records that have no amount, or no currency, that could be added. */
  readonly without: number;
}

/** An amount beyond so many digits on either side of the point is not money: adding it would take memory without end. */
const DIGITS_LIMIT = 100;

/** Adds amounts exactly, whatever their digits: each sum is a whole number of the smallest unit that was seen. */
export class MoneySum {
  readonly #sums = new Map<string, { units: bigint; scale: number; records: number }>();
  #without = 0;

  /** @param amount a JSON number or a text that is one. @param records that have this very amount. */
  add(currency: ExactValue, amount: ExactValue, records = 1): void {
    const value = typeof currency === 'string' && currency !== '' ? parseAmount(amount) : null;
    if (value === null || typeof currency !== 'string') {
      this.#without += records;
      return;
    }
    const sum = this.#sums.get(currency) ?? { units: 0n, scale: 0, records: 0 };
    const scale = Math.max(sum.scale, value.scale);
    const units = rescaled(sum.units, sum.scale, scale) + rescaled(value.units, value.scale, scale) * BigInt(records);
    this.#sums.set(currency, { units, scale, records: sum.records + records });
  }

  totals(): MoneyTotals {
    const sums = [...this.#sums].map(([currency, { units, scale, records }]) => ({ currency, amount: written(units, scale), records }));
    return { sums: sums.sort((a, b) => (a.currency < b.currency ? -1 : 1)), without: this.#without };
  }
}

const rescaled = (units: bigint, from: number, to: number): bigint => units * 10n ** BigInt(to - from);

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function parseAmount(amount: ExactValue): { units: bigint; scale: number } | null {
  const text = amount instanceof JsonNumber ? amount.source : typeof amount === 'string' ? amount : '';
  if (!NUMBER.test(text)) return null;
  const { negative, digits, point } = decomposeNumber(text);
  if (digits === '') return { units: 0n, scale: 0 };
  if (Math.abs(point) > DIGITS_LIMIT || digits.length > DIGITS_LIMIT) return null;
  const scale = Math.max(0, digits.length - point);
  const whole = BigInt(digits + '0'.repeat(Math.max(0, point - digits.length)));
  return { units: negative ? -whole : whole, scale };
}

function written(units: bigint, scale: number): string {
  const text = String(units < 0n ? -units : units).padStart(scale + 1, '0');
  const plain = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`;
  const trimmed = plain.includes('.') ? plain.replace(/\.?0+$/, '') : plain;
  return units < 0n ? `-${trimmed}` : trimmed;
}
