import type { LineBuffer } from '../page/line-buffer.ts';
import type { IndexReader } from '../page/page-index.ts';

/**
 * Writes the record that an index line is of, whole, as DuckDB reads it: `{"p":page,"i":position,…,"h":"content hash","r":record}`.
 * @param text of the record; null where it is as it landed.
 */
export function writeLine(lines: LineBuffer, index: Buffer, at: IndexReader, body: Buffer, text: Buffer | null): void {
  lines.copy(index, at.headStart, at.headEnd);
  lines.ascii(',"r":');
  if (text) lines.copy(text);
  else lines.copy(body, at.start, at.end);
  lines.ascii('}');
  lines.endLine();
}
