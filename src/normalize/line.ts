import type { LineBuffer } from '../page/line-buffer.ts';
import type { IndexReader } from '../page/page-index.ts';

/**
 * Writes the record that an index line is of, whole, as DuckDB reads it: `{"p":page,"i":position,…,"h":"content hash","r":record}`.
 * @param form what the record's bytes become; null where they stay as they are.
 */
export function writeLine(
  lines: LineBuffer,
  index: Buffer,
  at: IndexReader,
  body: Buffer,
  form: ((record: Buffer) => Buffer) | null,
): void {
  lines.copy(index, at.headStart, at.headEnd);
  lines.ascii(',"r":');
  if (form) lines.copy(form(body.subarray(at.start, at.end)));
  else lines.copy(body, at.start, at.end);
  lines.ascii('}');
  lines.endLine();
}
