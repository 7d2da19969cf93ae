import { rmSync } from 'node:fs';
import { joinRowGroups } from '../parquet/file.ts';
import { parquetOf } from './table-layout.ts';
import type { JoinResult, JoinTask } from './tasks.ts';

/** Makes one file of the rows of several groups of pages. */
export function joinRows({ layout, parts, path }: JoinTask): JoinResult {
  const rows = joinRowGroups(path, parquetOf(layout), parts);
  for (const part of parts) rmSync(part.path);
  return { rows };
}
