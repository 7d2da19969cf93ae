import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { openStore } from '../../src/store/open.ts';
import type { StoreConfig } from '../../src/stream.ts';
import { keysOf, textAt } from './contract.ts';

const script = (name: string): string => join(import.meta.dirname, 'processes', `${name}.ts`);
const run = promisify(execFile);

/** What a store that several processes share promises, as it is configured. `fresh` describes an empty one. */
export function processContract(name: string, fresh: () => Promise<StoreConfig>): void {
  describe(`${name}, shared by processes`, () => {
    const opened = async (): Promise<{ config: string; store: ObjectStore }> => {
      const config = await fresh();
      return { config: JSON.stringify(config), store: await openStore(config) };
    };

    it('lets one of them create each of 40 objects, and loses no update of theirs', async () => {
      const { config, store } = await opened();
      await store.create('names', Buffer.from('start'));
      const processes = ['p0', 'p1', 'p2', 'p3'];
      const answers = await Promise.all(processes.map((process_) => run(process.execPath, [script('race'), config, process_, '40', '15'])));
      const won = answers.map(({ stdout }) => JSON.parse(stdout) as string[]);
      expect(won.flat().sort()).toEqual(Array.from({ length: 40 }, (_, i) => `race/${i}`).sort());
      for (const [i, keys] of won.entries()) for (const key of keys) expect(await textAt(store, key)).toBe(processes[i]);
      const names = (await textAt(store, 'names'))?.split(' ') ?? [];
      expect(names).toHaveLength(61);
      expect(new Set(names).size).toBe(61);
    });

    it('holds what it said it holds when one is killed at any moment', async () => {
      const { config, store } = await opened();
      for (const acknowledged of [1, 7, 20, 33]) {
        const child = spawn(process.execPath, [script('replace-forever'), config], { stdio: ['ignore', 'pipe', 'inherit'] });
        const last = await killedAfter(child, acknowledged);
        const standing = Number(await textAt(store, 'state/doc.json'));
        // One more may have been made before its number was printed.
        expect([last, last + 1]).toContain(standing);
        expect(await keysOf(store.list(''))).toEqual(['state/doc.json']);
      }
    });
  });
}

/** Kills the process once it has printed so many lines. @returns the last number that it printed. */
async function killedAfter(child: ChildProcess, lines: number): Promise<number> {
  const exited = once(child, 'exit');
  let last = 0;
  let printed = 0;
  if (!child.stdout) throw new Error('the process has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    printed += 1;
    if (printed === lines) child.kill('SIGKILL');
  }
  await exited;
  return last;
}
