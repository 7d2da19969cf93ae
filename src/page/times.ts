import type { Micros } from '../clock.ts';
import { parseInstant, type TimeForm } from '../time.ts';
import { isoReader } from './iso-bytes.ts';

/** Captured fields of a page's records: `width` fields a record, start and end of each value. */
export interface CapturedFields {
  readonly body: Buffer;
  readonly captured: Uint32Array;
  readonly width: number;
}

/** Reads one captured field as a time, by the record's position; null where it is none. */
export function timeReader({ body, captured, width }: CapturedFields, column: number, form: TimeForm): (record: number) => Micros | null {
  const readIso = form === 'iso' ? isoReader(body) : null;
  return (record) => {
    const field = record * width + column;
    const quick = readIso?.(captured[2 * field] as number, captured[2 * field + 1] as number);
    if (quick !== undefined) return quick;
    const text = scalarText(body, captured, field);
    return text === null ? null : parseInstant(text, form);
  };
}

const QUOTE = 0x22;

/** Text or digits of a JSON value; null where it is absent, null, or no scalar. @param field counted over all records. */
export function scalarText(body: Buffer, captured: Uint32Array, field: number): string | null {
  const [start = 0, end = 0] = [captured[2 * field], captured[2 * field + 1]];
  if (end <= start) return null;
  const first = body[start] ?? 0;
  if (first === QUOTE) {
    const raw = body.toString('utf8', start + 1, end - 1);
    return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  }
  return first === 0x2d || (first >= 0x30 && first <= 0x39) ? body.toString('latin1', start, end) : null;
}
