import type { BigIntStats } from 'node:fs';
import { constants, copyFile, type FileHandle, link, mkdir, open, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { RESERVED_SEGMENT } from './check-key.ts';

/** A finished file that no name of the store leads to yet. */
export interface StagedFile {
  readonly path: string;
  readonly tag: string;
}

/** Where files are written before they are linked to their names; in the store's own file system, because links do not cross. */
const stagingFolder = (root: string): string => join(root, RESERVED_SEGMENT, 'tmp');

/** Changes with every file that takes the name: no two files share an inode while both exist, and the time tells those that do not. */
export const tagOf = (file: BigIntStats): string => `${file.ino}-${file.mtimeNs}-${file.size}`;

export async function stageBytes(root: string, name: string, body: Uint8Array): Promise<StagedFile> {
  return stage(root, name, async (path) => {
    const handle = await open(path, 'wx');
    await handle.writeFile(body).catch((error: unknown) => closeAndThrow(handle, error));
    return handle;
  });
}

export async function stageCopy(root: string, name: string, source: string): Promise<StagedFile> {
  return stage(root, name, async (path) => {
    await copyFile(source, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return open(path, 'r+');
  });
}

async function stage(root: string, name: string, write: (path: string) => Promise<FileHandle>): Promise<StagedFile> {
  await makeFolder(stagingFolder(root));
  const path = join(stagingFolder(root), stagedName(name));
  try {
    const handle = await write(path);
    try {
      await handle.sync();
      return { path, tag: tagOf(await handle.stat({ bigint: true })) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    await removeFile(path);
    throw error;
  }
}

async function closeAndThrow(handle: FileHandle, error: unknown): Promise<never> {
  await handle.close();
  throw error;
}

/** Says whose it is, so that a later process can tell the leftovers of a dead one. */
const stagedName = (name: string): string => `${encodeURIComponent(hostname())}~${process.pid}~${name}`;

/** Removes what processes of this host left when they died. Those of other hosts cannot be judged from here and do no harm. */
export async function sweepStaging(root: string): Promise<void> {
  for (const name of await namesIn(stagingFolder(root))) {
    const [host, pid] = name.split('~');
    if (host === encodeURIComponent(hostname()) && !isRunning(Number(pid))) await removeFile(join(stagingFolder(root), name));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Gives a staged file its name, unless the name is taken; the folder is made where it is missing, and the name survives a power cut.
 * The staged name stays. @returns whether the file took the name.
 */
export async function publish(staged: StagedFile, path: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await link(staged.path, path);
      break;
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return (await isSameFile(staged, path)) && syncedFolder(path);
      // Another process may remove the folder, empty as yet, before the link is made.
      if (!isErrno(error, 'ENOENT') || attempt === FOLDER_ATTEMPTS) throw error;
      await makeFolder(dirname(path));
    }
  }
  return syncedFolder(path);
}

const FOLDER_ATTEMPTS = 20;

/** NFS may answer EEXIST to the resent request of a link that it has made. */
export async function isSameFile(staged: StagedFile, path: string): Promise<boolean> {
  const standing = await statOrNull(path);
  if (standing?.isDirectory()) throw Object.assign(new Error(`${path} is a folder`), { code: 'EISDIR' });
  return standing !== null && tagOf(standing) === staged.tag;
}

async function syncedFolder(path: string): Promise<true> {
  await syncFolder(dirname(path));
  return true;
}

/** As `mkdir -p`, made to last. Node's own recursive form says ENOENT where it means a read-only file system. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    if (!isErrno(error, 'ENOENT') || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    return makeFolder(folder);
  }
  await syncFolder(dirname(folder));
}

/** Without it a new name may be gone after a power cut, though the file's bytes are there. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(nullWhereAbsent);
  if (!handle) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes folders that became empty, from `folder` up to, but without, `root`. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let current = folder; current.startsWith(join(root, '/')); current = dirname(current)) {
    try {
      await rmdir(current);
    } catch (error) {
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'EACCES', 'EPERM')) return;
      if (!isAbsent(error)) throw error;
    }
  }
}

/** It is no error where there is none. */
export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(nullWhereAbsent);
}

export async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(nullWhereAbsent)) ?? [];
}

export async function statOrNull(path: string): Promise<BigIntStats | null> {
  return stat(path, { bigint: true }).catch(nullWhereAbsent);
}

export function nullWhereAbsent(error: unknown): null {
  if (isAbsent(error)) return null;
  throw error;
}

const isAbsent = (error: unknown): boolean => isErrno(error, 'ENOENT', 'ENOTDIR');

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
