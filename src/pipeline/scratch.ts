import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemarkError } from '../errors.ts';
import type { Holder } from '../manifest/documents.ts';
import { isDead, thisProcess } from '../manifest/holder.ts';

/** Says whose folder it is, so that a later process can tell whether that one is gone. */
const OWNER = 'owner.json';
const PREFIX = 'process-';

/**
 * A folder for this process's intermediate files, under the configured one. What processes that were killed left there is removed.
 * @throws STORE where the folder cannot be written.
 */
export async function openScratch(root: string): Promise<string> {
  try {
    await mkdir(root, { recursive: true });
    await removeLeftovers(root);
    const folder = await mkdtemp(join(root, PREFIX));
    await writeFile(join(folder, OWNER), JSON.stringify({ ...thisProcess(randomUUID), beat: 0 }));
    return folder;
  } catch (cause) {
    throw new TidemarkError({
      code: 'STORE',
      message: `The scratch folder ${root} cannot be written`,
      hint: 'Nothing was begun. Make room there, or name another folder as workers.scratch.',
      cause,
    });
  }
}

async function removeLeftovers(root: string): Promise<void> {
  const observer = thisProcess(randomUUID);
  for (const name of await readdir(root)) {
    if (!name.startsWith(PREFIX)) continue;
    const owner = await readOwner(join(root, name, OWNER));
    if (owner && isDead(owner, observer)) await rm(join(root, name), { recursive: true, force: true });
  }
}

/** @returns null where nobody has signed the folder: its process may be about to. */
async function readOwner(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return null;
  }
}
