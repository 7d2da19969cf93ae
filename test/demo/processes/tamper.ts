import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { openEngine } from '../../../src/engine.ts';

/** Loaded before the program: once the demo's last worker has done its work, `TAMPER` is done to the warehouse behind its back. */
async function tamper(): Promise<void> {
  const folder = dirname(process.argv[process.argv.indexOf('--config') + 1] ?? '');
  const place = { path: join(folder, 'warehouse.duckdb'), tempDirectory: join(folder, 'spill') };
  const engine = await openEngine({ ...place, threads: 1, memoryBytes: 256 << 20 });
  await engine.run(process.env['TAMPER'] ?? '');
  await engine.close();
}

if (isMainThread && process.argv.includes('--sweep')) process.once('beforeExit', () => void tamper());
