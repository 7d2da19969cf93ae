import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import type { Engine } from '../engine.ts';
import { assert } from '../errors.ts';
import { isObject, JsonNumber, memberOf, parseExact } from '../json/exact.ts';
import { projectRecord } from '../schema/project.ts';
import { literal } from '../sql.ts';
import { fileHash } from './files.ts';
import { linesOf } from './line-file.ts';
import { LONGEST_LINE, type WriteResult, type WriteTask } from './tasks.ts';

/** Second pass: the lines that won, parsed into the schema's types, as one Parquet file. */
export async function write(task: WriteTask, engine: Engine): Promise<WriteResult> {
  let { longest } = task;
  let exact = 0;
  for (const file of task.rewrite) {
    const rewritten = await rewrite(file.from, file.to, new Set(file.pages), task);
    longest = Math.max(longest, rewritten.longest);
    exact += rewritten.exact;
  }
  await engine.run(task.savePart.replace(LONGEST_LINE, String(longest)));
  const [count] = await engine.rows(`SELECT num_rows AS rows FROM parquet_file_metadata(${literal(task.path)})`);
  const { size } = await stat(task.path);
  return { rows: Number(count?.['rows'] ?? 0), bytes: size, sha256: await fileHash(task.path), exact };
}

/** Lines of pages that DuckDB's reader would not keep exactly are projected; the others pass as they are. */
async function rewrite(from: string, to: string, pages: ReadonlySet<number>, task: WriteTask): Promise<{ longest: number; exact: number }> {
  const output = createWriteStream(to);
  let longest = 0;
  let exact = 0;
  for await (const line of linesOf(from)) {
    const odd = pages.has(pageOf(line));
    const bytes = Buffer.concat([odd ? Buffer.from(projectLine(line.toString(), task)) : line, LINE_FEED]);
    if (odd) exact++;
    longest = Math.max(longest, bytes.length);
    if (!output.write(bytes)) await once(output, 'drain');
  }
  output.end();
  await finished(output);
  return { longest, exact };
}

const LINE_FEED = Buffer.from('\n');

/** Lines begin with `{"p":12,`. */
const pageOf = (line: Buffer): number => Number(line.toString('latin1', 5, line.indexOf(',')));

function projectLine(line: string, task: WriteTask): string {
  const value = parseExact(line);
  assert(isObject(value), 'a line is an object');
  const record = memberOf(value, 'r');
  const [page, position] = [memberOf(value, 'p'), memberOf(value, 'i')];
  assert(isObject(record) && page instanceof JsonNumber && position instanceof JsonNumber, 'a line has page, position and record');
  return `{"p":${page.source},"i":${position.source},"h":${JSON.stringify(memberOf(value, 'h'))},"r":${projectRecord(record, task.schema, task.fixed)}}`;
}
