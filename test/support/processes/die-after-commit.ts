import { openEngine } from '../../../src/engine.ts';

/** `die-after-commit.ts <database> <statements>`: commits them, and dies before the log is written back. */
const [path = '', statements = ''] = process.argv.slice(2);
const engine = await openEngine({ path, threads: 1, memoryBytes: 256 << 20, tempDirectory: `${path}.tmp` });
await engine.run(`BEGIN; ${statements}; COMMIT`);
process.kill(process.pid, 'SIGKILL');
