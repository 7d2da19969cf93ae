import type { Micros } from '../clock.ts';
import { SECOND } from '../time.ts';

const TWO = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));
const THREE = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'));

/** The last dates that were asked for, by the low bits of the day: neighbouring days take turns in one record. */
const CACHED = 64;
const days = new Float64Array(CACHED).fill(Number.NaN);
const dates: string[] = Array.from({ length: CACHED }, () => '');

function dateOf(day: number): string {
  const place = day & (CACHED - 1);
  if (days[place] !== day) {
    dates[place] = new Date(day * 86_400_000).toISOString().slice(0, 10);
    days[place] = day;
  }
  return dates[place] ?? '';
}

/** ISO 8601 in UTC, always with six digits of a second. Written for speed: two of these stand in every record. */
export function stamp(micros: Micros): string {
  const seconds = Math.floor(micros / SECOND);
  const day = Math.floor(seconds / 86_400);
  const ofDay = seconds - day * 86_400;
  const fraction = micros - seconds * SECOND;
  const time = `${TWO[Math.floor(ofDay / 3600)]}:${TWO[Math.floor(ofDay / 60) % 60]}:${TWO[ofDay % 60]}`;
  return `${dateOf(day)}T${time}.${THREE[Math.floor(fraction / 1000)]}${THREE[fraction % 1000]}Z`;
}

/** The date of an instant, `2026-11-20`. */
export function dateStamp(micros: Micros): string {
  return dateOf(Math.floor(micros / SECOND / 86_400));
}
