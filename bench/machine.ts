import { statfs } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { openEngine } from '../src/engine.ts';

/** What the figures were measured on, without names. */
export async function describeMachine(folder: string): Promise<string> {
  const engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 1e8, tempDirectory: folder });
  const [row = {}] = await engine.rows('SELECT library_version AS version FROM pragma_version()');
  await engine.close();
  const cores = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const duckdb = (row['version'] as string).replace('v', '');
  return `${cores.length} cores (${cores[0]?.model.trim()}), ${memory}, ${type()} ${release()}, Node ${process.versions.node}, DuckDB ${duckdb}`;
}

export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
