/** Numbers as JSON writes them, compared digit for digit: a double would call 0.1 + 0.2 and 0.3 different and two 20-digit amounts the same. */
export interface Decimal {
  readonly sign: -1 | 0 | 1;
  /** Place of the first digit: the value is 0.<digits> × 10^magnitude. 0 where the value is 0. */
  readonly magnitude: number;
  /** Significant digits, without leading and trailing zeros. */
  readonly digits: string;
}

export const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Exponents of more digits count as this one: far beyond every number that a rule can name. The SQL form does the same. */
export const EXPONENT_LIMIT = { digits: 15, value: 10 ** 15 } as const;

/** @param text a JSON number. */
export function decimalOf(text: string): Decimal {
  const [, minus, whole = '', fraction = '', exponentSign, exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?)0*(\d+))?$/.exec(text) ?? [];
  const all = whole + fraction;
  const significant = all.replace(/^0+/, '');
  const digits = significant.replace(/0+$/, '');
  if (digits === '') return { sign: 0, magnitude: 0, digits };
  const power = exponent.length > EXPONENT_LIMIT.digits ? EXPONENT_LIMIT.value : Number(exponent);
  const magnitude = whole.length - (all.length - significant.length) + (exponentSign === '-' ? -power : power);
  return { sign: minus ? -1 : 1, magnitude, digits };
}

/** @returns -1, 0 or 1: whether the JSON number `a` is smaller than, equal to, or greater than `b`. */
export function compareDecimals(a: string, b: string): number {
  const left = decimalOf(a);
  const right = decimalOf(b);
  if (left.sign !== right.sign) return Math.sign(left.sign - right.sign);
  return left.sign * compareMagnitudes(left, right);
}

/** Digits without trailing zeros order as text does: a prefix is the smaller. */
function compareMagnitudes(left: Decimal, right: Decimal): number {
  if (left.magnitude !== right.magnitude) return left.magnitude < right.magnitude ? -1 : 1;
  return left.digits === right.digits ? 0 : left.digits < right.digits ? -1 : 1;
}
