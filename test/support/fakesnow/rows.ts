import { type Data, tableFromIPC, type Vector } from 'apache-arrow';

/** A column as fakesnow describes it, which is as the wire does. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly scale: number | null;
}

type Value = string | null;

/** An Arrow stream as the rows of the JSON form of results: every value a text. */
export function rowsOf(base64: string, columns: readonly Column[]): Value[][] {
  if (base64 === '') return [];
  const table = tableFromIPC(Buffer.from(base64, 'base64'));
  const texts = columns.map((column, index) => columnTexts(table.getChildAt(index), column));
  return Array.from({ length: table.numRows }, (_, row) => texts.map((column) => column[row] ?? null));
}

function columnTexts(vector: Vector | null, column: Column): Value[] {
  const texts: Value[] = [];
  for (let row = 0; row < (vector?.length ?? 0); row += 1) {
    const value: unknown = vector?.get(row);
    texts.push(value === null || value === undefined ? null : text(value, column, vector?.data[0]));
  }
  return texts;
}

function text(value: unknown, { type }: Column, data: Data | undefined): string {
  if (type === 'fixed') return fixed(value, data);
  if (type === 'boolean') return value === true ? '1' : '0';
  if (type === 'date') return String(Math.round(Number(value) / 86_400_000));
  if (type.startsWith('timestamp')) return timestamp(value as { epoch: bigint; fraction: number; timezone?: number });
  return String(value);
}

/** Decimals come as four words of 32 bits, and are kept digit for digit. */
function fixed(value: unknown, data: Data | undefined): string {
  if (!(value instanceof Uint32Array)) return String(value);
  const unsigned = value.reduceRight((sum, word) => (sum << 32n) + BigInt(word), 0n);
  const unscaled = BigInt.asIntN(32 * value.length, unsigned);
  const { scale } = (data?.type ?? { scale: 0 }) as { scale: number };
  if (scale === 0) return String(unscaled);
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Seconds with nine digits; with a zone, its minutes from −24 hours behind. */
function timestamp({ epoch, fraction, timezone }: { epoch: bigint; fraction: number; timezone?: number }): string {
  const nanos = epoch * 1_000_000_000n + BigInt(fraction);
  const digits = (nanos < 0n ? -nanos : nanos).toString().padStart(10, '0');
  const seconds = `${nanos < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
  return timezone === undefined ? seconds : `${seconds} ${timezone}`;
}
