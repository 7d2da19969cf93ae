import type { Micros } from '../clock.ts';
import { parseInstant } from '../time.ts';

const QUOTE = 0x22;
const DASH = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const T = 0x54;
const Z = 0x5a;
const SECOND: Micros = 1_000_000;
/** Digits of the fraction that count. */
const MICROS_DIGITS = 6;

/** Two digits at `at`; NaN where they are none. */
function pair(bytes: Buffer, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const ones = (bytes[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? 10 * tens + ones : Number.NaN;
}

/** Microseconds of the fraction whose digits stand from `at` to `end`; NaN where they are none. */
function fraction(bytes: Buffer, at: number, end: number): number {
  let micros = 0;
  for (let i = 0; i < Math.max(MICROS_DIGITS, end - at); i++) {
    const digit = at + i < end ? (bytes[at + i] as number) - 0x30 : 0;
    if (digit < 0 || digit > 9) return Number.NaN;
    if (i < MICROS_DIGITS) micros = 10 * micros + digit;
  }
  return micros;
}

/** The time of day in a text like `"2026-11-20T10:00:00.123456Z"`; NaN where it is another form. */
function timeOfDay(bytes: Buffer, start: number, end: number): Micros {
  const last = end - 2;
  if (end - start < '"2026-11-20T10:00:00Z"'.length || bytes[start] !== QUOTE || bytes[last] !== Z) return Number.NaN;
  if (bytes[start + 5] !== DASH || bytes[start + 8] !== DASH || bytes[start + 11] !== T) return Number.NaN;
  if (bytes[start + 14] !== COLON || bytes[start + 17] !== COLON) return Number.NaN;
  const [hour, minute, second] = [pair(bytes, start + 12), pair(bytes, start + 15), pair(bytes, start + 18)];
  if (!(hour < 24 && minute < 60 && second < 60)) return Number.NaN;
  const seconds = (hour * 60 + minute) * 60 + second;
  if (last === start + 20) return seconds * SECOND;
  const digits = last - start - 21;
  return bytes[start + 20] === POINT && digits >= 1 && digits <= 12 ? seconds * SECOND + fraction(bytes, start + 21, last) : Number.NaN;
}

/**
 * Reads times as `parseInstant` does. Those of one page mostly fall on one day, whose begin is reckoned once.
 * @returns undefined for a text of another form than most have, which may be a time all the same.
 */
export function isoReader(body: Buffer): (start: number, end: number) => Micros | null | undefined {
  let day = Number.NaN;
  let begin: Micros | null = null;
  return (start, end) => {
    const time = timeOfDay(body, start, end);
    const named = pair(body, start + 1) * 1_000_000 + pair(body, start + 3) * 10_000 + pair(body, start + 6) * 100 + pair(body, start + 9);
    if (!(time + named >= 0)) return undefined;
    if (named !== day) {
      day = named;
      begin = parseInstant(`${body.toString('latin1', start + 1, start + 12)}00:00:00Z`, 'iso');
    }
    return begin === null ? null : begin + time;
  };
}
