import { LINEAGE, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import { keyNames, versionNames } from './curated.ts';
import type { CuratedRow } from './warehouse.ts';

/** A curated row without its text, and what its fields say as canonical JSON, in the order of the schema; null for no value. */
export interface RowParts extends Omit<CuratedRow, 'row'> {
  /** As digits where a double would lose some; microseconds for the time. */
  readonly versionText: readonly string[];
  readonly fields: readonly (string | null)[];
  readonly overflow: readonly (readonly [name: string, json: string])[];
}

/** Columns in the order of the table's description; those without a value are left out, as everywhere in canonical JSON. */
export function rowJson(stream: Stream, schema: RecordSchema, row: RowParts): string {
  const parts: (readonly [name: string, json: string | null])[] = [
    ...keyNames(stream).map((name, index) => [name, JSON.stringify(row.key[index])] as const),
    ...versionNames(stream).map((name, index) => [name, versionJson(row.versionText[index] ?? '', index)] as const),
    ...schema.fields.map(({ name }, index) => [name, row.fields[index] ?? null] as const),
    [OVERFLOW, row.overflow.length > 0 ? objectJson(row.overflow) : null],
    [LINEAGE.page, JSON.stringify(row.page)],
    [LINEAGE.position, JSON.stringify(row.position)],
    [LINEAGE.contentHash, JSON.stringify(row.contentHash)],
    [LINEAGE.batch, JSON.stringify(row.batch)],
    [LINEAGE.loadedAt, JSON.stringify(formatInstant(row.loadedAt))],
  ];
  return objectJson(parts.filter((part): part is readonly [string, string] => part[1] !== null));
}

const versionJson = (text: string, index: number): string => (index === 0 ? JSON.stringify(formatInstant(Number(text))) : text);

const objectJson = (parts: readonly (readonly [name: string, json: string])[]): string =>
  `{${parts.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;
