/**
 * JSON numbers by their digits, never through a double. A number is `0.d1d2d3… × 10^point`: `digits` without leading or trailing zeros
 * ('' for zero), `point` the place of the decimal point from the left of `digits`.
 */
export interface Digits {
  readonly negative: boolean;
  readonly digits: string;
  readonly point: number;
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Exponents past this are cut to it: no value differs that anything could hold. */
const EXPONENT_LIMIT = 1_000_000_000;

/** @param text a JSON number token. */
export function decomposeNumber(text: string): Digits {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  const all = whole + fraction;
  const digits = all.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return { negative: false, digits: '', point: 0 };
  const shift = Math.max(-EXPONENT_LIMIT, Math.min(EXPONENT_LIMIT, Number(exponent)));
  return { negative: sign === '-', digits: significant, point: whole.length - (all.length - digits.length) + shift };
}

/** Digits before the point. */
export const integerDigits = (number: Digits): number => Math.max(0, number.point);

/** Digits after the point. */
export const scale = (number: Digits): number => Math.max(0, number.digits.length - number.point);

/** Digits in plain notation up to which numbers are written plainly: the widest decimal of the engines. */
export const PLAIN_DIGITS = 38;

/**
 * The one text of a number's value: `-12.5`, `1000`, `0.001`; beyond 38 digits `1.5e+300`, so that no text explodes.
 * `1.10`, `1.1` and `11e-1` are the same text.
 */
export function canonicalNumber(text: string): string {
  const number = decomposeNumber(text);
  if (number.digits === '') return '0';
  const sign = number.negative ? '-' : '';
  return sign + (integerDigits(number) + scale(number) > PLAIN_DIGITS ? scientific(number) : plain(number));
}

function plain({ digits, point }: Digits): string {
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return digits + '0'.repeat(point - digits.length);
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}

function scientific({ digits, point }: Digits): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${digits[0]}${fraction}e${point > 0 ? '+' : ''}${point - 1}`;
}
