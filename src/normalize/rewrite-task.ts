import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { assert } from '../errors.ts';
import { isObject, parseExact } from '../json/exact.ts';
import { LineBuffer } from '../page/line-buffer.ts';
import { IndexReader } from '../page/page-index.ts';
import { projectRecord } from '../schema/project.ts';
import { RecordRewriter } from '../schema/rewrite.ts';
import { shapeFromJson } from '../schema/shape.ts';
import { rewriteLine } from './line.ts';
import type { LinesResult, RewriteTask } from './tasks.ts';

/** The thread's one, as in lines-task.ts. */
const lines = new LineBuffer();
/** Bytes that are written at once. */
const PIECE = 4 << 20;

/** Writes records again that stand in lines already: their bodies need not be read a second time. */
export function rewriteLines({ recordsPath, shape, schema, fixed, linesPath }: RewriteTask): LinesResult {
  const text = readFileSync(recordsPath);
  const rewriter = new RecordRewriter(text, shapeFromJson(shape), schema);
  let exact = 0;
  const rewrite = (start: number, end: number): Buffer | null => {
    const rewritten = rewriter.rewrite(start, end);
    if (rewritten === 'as it is') return null;
    exact++;
    if (rewritten !== 'whole') return rewritten;
    const record = parseExact(text.toString('utf8', start, end));
    assert(isObject(record), 'a record is an object');
    return Buffer.from(projectRecord(record, schema, fixed));
  };
  let longest = 0;
  const file = openSync(linesPath, 'w');
  const flush = (): void => {
    longest = Math.max(longest, lines.longest);
    writeFileSync(file, lines.bytes());
    lines.clear();
  };
  try {
    lines.clear();
    for (const reader = new IndexReader(text); reader.read(); ) {
      rewriteLine(lines, text, reader, rewrite);
      if (lines.length > PIECE) flush();
    }
    flush();
  } finally {
    closeSync(file);
  }
  return { longest, exact, discarded: {} };
}
