import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { openScratch } from '../../src/pipeline/scratch.ts';

const root = mkdtempSync(join(tmpdir(), 'tidemark-scratch-'));
const children: ReturnType<typeof spawn>[] = [];

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

async function otherProcess(): Promise<{ folder: string; kill: () => Promise<unknown> }> {
  const script = fileURLToPath(new URL('processes/hold-scratch.ts', import.meta.url));
  const child = spawn(process.execPath, [script, root], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [folder] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ended = once(child, 'exit');
  return { folder, kill: () => (child.kill('SIGKILL'), ended) };
}

describe('the scratch folder', () => {
  it('loses what killed processes left, and nothing of living ones', async () => {
    const [dead, living] = [await otherProcess(), await otherProcess()];
    await dead.kill();
    const mine = await openScratch(root);
    expect([dead.folder, living.folder, mine].map((folder) => existsSync(folder))).toEqual([false, true, true]);
  });

  it('is refused with a clear error where it cannot be written', async () => {
    await expect(openScratch('/dev/null/scratch')).rejects.toMatchObject({
      code: 'STORE',
      message: 'The scratch folder /dev/null/scratch cannot be written',
    });
  });
});
