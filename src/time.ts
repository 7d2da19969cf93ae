import type { Micros } from './clock.ts';
import { assert } from './errors.ts';

/** How a source writes its times. `iso` without a zone is read as UTC. */
export const TIME_FORMS = ['iso', 'epoch-s', 'epoch-ms', 'epoch-us'] as const;
export type TimeForm = (typeof TIME_FORMS)[number];

export const SECOND: Micros = 1_000_000;
export const MINUTE: Micros = 60 * SECOND;
export const HOUR: Micros = 60 * MINUTE;
export const DAY: Micros = 24 * HOUR;

/** What is taken for a time of a source: from 1700-01-01 up to, but without, 2255-01-01. Beyond, a double loses microseconds. */
export const TIME_RANGE: { readonly from: Micros; readonly to: Micros } = {
  from: -8_520_336_000 * SECOND,
  to: 8_993_721_600 * SECOND,
};

/**
 * RFC 3339 with the liberties that real partners take: a blank for the `T`, no seconds, no zone (UTC), a zone without minutes.
 * Digits past the microsecond are cut, which is what DuckDB and Snowflake do to the curated column as well.
 */
const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,12}))?)?(?:(Z|z)|([+-])(\d{2}):?(\d{2})?)?$/;

/**
 * The same grammar for the engines' regular expressions (RE2), so that both sides accept the same texts. Engines would also take an
 * hour 24 and zones that no clock has.
 */
export const ISO_PATTERN = String.raw`\d{4}-\d{2}-\d{2}[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,12})?)?([Zz]|[+-](0\d|1[0-5])(:?[0-5]\d)?)?`;

/** @returns the instant, or null where `text` is not a time of that form. */
export function parseInstant(text: string, form: TimeForm): Micros | null {
  const micros = form === 'iso' ? parseIso(text) : parseEpoch(text, form);
  return micros !== null && micros >= TIME_RANGE.from && micros < TIME_RANGE.to ? micros : null;
}

function parseIso(text: string): Micros | null {
  const match = ISO.exec(text);
  if (!match) return null;
  const [, year, month, day, hour, minute, second = '0', fraction = '', , sign, zoneHour = '0', zoneMinute = '0'] = match;
  const ms = utcMs(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second));
  if (ms === null || Number(zoneHour) > 15 || Number(zoneMinute) > 59) return null;
  const offsetMinutes = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === '-' ? -1 : 1);
  return ms * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0')) - offsetMinutes * MINUTE;
}

function utcMs(year: number, month: number, day: number, hour: number, minute: number, second: number): number | null {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const real = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return real ? date.getTime() : null;
}

const EPOCH_UNIT: Record<Exclude<TimeForm, 'iso'>, number> = { 'epoch-s': 6, 'epoch-ms': 3, 'epoch-us': 0 };

/** Digits with an optional fraction; the point is moved in text, so that no digit is lost to a double. */
function parseEpoch(text: string, form: Exclude<TimeForm, 'iso'>): Micros | null {
  const match = /^(-?)(\d{1,17})(?:\.(\d{1,12}))?$/.exec(text);
  if (!match) return null;
  const [, sign, whole = '', fraction = ''] = match;
  const moved = Number(whole + fraction.slice(0, EPOCH_UNIT[form]).padEnd(EPOCH_UNIT[form], '0'));
  return sign === '-' ? -moved : moved;
}

/** ISO 8601 in UTC with microseconds: `2026-11-20T10:00:00.123456Z`; whole seconds are written without a fraction. */
export function formatInstant(micros: Micros): string {
  assert(Number.isSafeInteger(micros), `not an instant: ${micros}`);
  const seconds = Math.floor(micros / SECOND);
  const fraction = micros - seconds * SECOND;
  const base = new Date(seconds * 1000).toISOString().slice(0, 19);
  return fraction === 0 ? `${base}Z` : `${base}.${String(fraction).padStart(6, '0')}Z`;
}

/** The same in the basic format, fit for an object key: `20261120T100000.123456Z`. */
export function compactInstant(micros: Micros): string {
  return formatInstant(micros).replaceAll(/[-:]/g, '');
}

/** How an instant is written into a request's `since` parameter. */
export function writeInstant(micros: Micros, form: TimeForm): string {
  if (form === 'iso') return formatInstant(micros);
  if (form === 'epoch-us') return String(micros);
  return String(Math.floor(micros / (form === 'epoch-ms' ? 1000 : SECOND)));
}

const UNITS: Record<string, Micros> = { ms: 1000, s: SECOND, m: MINUTE, h: HOUR, d: DAY };

/** `90s`, `5m`, `48h`, `7d`; @returns null where the text is none of them. */
export function parseDuration(text: string): Micros | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return null;
  const [, amount, unit] = match;
  return Math.round(Number(amount) * (UNITS[unit ?? ''] ?? 0));
}

/** The largest unit that leaves at most one decimal: `5m`, `1.5h`, `2d`. */
export function formatDuration(micros: Micros): string {
  const [unit, size] = micros >= DAY ? ['d', DAY] : micros >= HOUR ? ['h', HOUR] : micros >= MINUTE ? ['m', MINUTE] : ['s', SECOND];
  return `${Number((micros / size).toFixed(1))}${unit}`;
}
