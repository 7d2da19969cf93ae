import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** SHA-256 of a local file, in hex. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A file of the batch, still on this machine. */
export interface LocalFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

export async function localFile(path: string, rows: number): Promise<LocalFile> {
  return { path, rows, bytes: (await stat(path)).size, sha256: await fileHash(path) };
}

/** Rows of a file below which a second one is not worth it. */
const SHARE_ROWS = 50_000;

/** Groups of a file at most: some 200 MB of Parquet. */
const SHARE_GROUPS = 60;

/** Shares groups out: as many shares as there are threads; fewer where there are few rows, more where there are many groups. */
export function shareOut<T>(groups: readonly T[], threads: number, rows: number): T[][] {
  const useful = Math.min(threads, groups.length, Math.ceil(rows / SHARE_ROWS));
  const count = Math.max(1, useful, Math.ceil(groups.length / SHARE_GROUPS));
  return Array.from({ length: count }, (_, share) => groups.filter((_group, at) => at % count === share));
}
