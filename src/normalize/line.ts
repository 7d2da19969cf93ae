import type { LineBuffer } from '../page/line-buffer.ts';
import type { IndexReader } from '../page/page-index.ts';

const BEFORE_RECORD = ',"r":';

/**
 * Writes the record that an index line is of, whole, as DuckDB reads it: `{"p":page,"i":position,…,"h":"content hash","r":record}`.
 * @param text of the record; null where it is as it landed.
 */
export function writeLine(lines: LineBuffer, index: Buffer, at: IndexReader, body: Buffer, text: Buffer | null): void {
  if (at.lacks) lines.copy(at.lacks);
  lines.copy(index, at.lacks ? at.headStart + 1 : at.headStart, at.headEnd);
  lines.ascii(BEFORE_RECORD);
  if (text) lines.copy(text);
  else lines.copy(body, at.start, at.end);
  lines.ascii('}');
  lines.endLine();
}

/** Writes a line of `writeLine` again. @param at the line in `text`. @param rewrite tells its record's text; null where it is as it was. */
export function rewriteLine(
  lines: LineBuffer,
  text: Buffer,
  at: IndexReader,
  rewrite: (start: number, end: number) => Buffer | null,
): void {
  const record = at.headEnd + BEFORE_RECORD.length;
  const rewritten = rewrite(record, at.lineEnd - 1);
  if (rewritten) {
    lines.copy(text, at.headStart, record);
    lines.copy(rewritten);
    lines.ascii('}');
  } else lines.copy(text, at.headStart, at.lineEnd);
  lines.endLine();
}
