import { type FileHandle, link, open, rename, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RESERVED_SEGMENT } from './check-key.ts';
import {
  isErrno,
  isSameFile,
  makeFolder,
  namesIn,
  nullWhereAbsent,
  removeFile,
  type StagedFile,
  statOrNull,
  syncFolder,
  tagOf,
} from './disk.ts';

/**
 * Compare-and-set on a file system without locks. A document that was never replaced is the file at its plain name. Replacing it makes
 * numbered versions in a hidden folder beside it; version n + 1 is made by `link`, which exactly one of any number of racing processes
 * can do, and the highest number is the document. The plain name exists as long as the document does, and follows the newest version for
 * people who look; programs do not trust it once there are versions.
 */

/** Older versions than so many are removed. A replacer that sleeps through them all, between its look and its link, is not told its outcome. */
export const VERSIONS_KEPT = 16;
/** How often a reader starts again because what it was about to open was pruned. */
const READ_ATTEMPTS = 100;
const WIDTH = 12;

export interface Newest {
  readonly path: string;
  /** 1 for a document that was never replaced. */
  readonly number: number;
  /** Of the newest version; the caller closes it. */
  readonly handle: FileHandle;
  readonly size: number;
  readonly tag: string;
}

const versionsFolder = (plain: string): string => join(dirname(plain), `${RESERVED_SEGMENT}.${basename(plain)}`);

/** Opens the newest version, or returns null where there is no document. */
export async function openNewest(plain: string): Promise<Newest | null> {
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt++) {
    // The plain file first: what is open before the folder was seen empty is version 1.
    const first = await openVersion(plain, 1);
    if (!first) return null;
    const number = await newestNumber(plain);
    if (number === undefined) return first;
    await first.handle.close();
    const newest = await openVersion(versionPath(plain, number), number);
    if (newest) return newest;
  }
  throw Object.assign(new Error(`${plain} changes faster than it can be read`), { code: 'EAGAIN' });
}

async function openVersion(path: string, number: number): Promise<Newest | null> {
  const handle = await open(path, 'r').catch(nullWhereAbsent);
  if (!handle) return null;
  const file = await handle.stat({ bigint: true });
  if (file.isFile()) return { path, number, handle, size: Number(file.size), tag: tagOf(file) };
  await handle.close();
  return null;
}

/** Makes `staged` the next version, where the newest one's tag is `tag`. @returns whether it is. @throws ESTALE as `publishAfter`. */
export async function replaceNewest(plain: string, staged: StagedFile, tag: string): Promise<boolean> {
  const number = await numberUnder(plain, tag);
  return number !== null && publishAfter(plain, number, staged, tag);
}

/** @returns the number of the newest version, which is in the folder then, where its tag is `tag`; otherwise null. */
export async function numberUnder(plain: string, tag: string): Promise<number | null> {
  if ((await newestTag(plain)).tag !== tag) return null;
  if ((await newestNumber(plain)) === undefined && !(await enterVersions(plain))) return null;
  const newest = await newestTag(plain);
  return newest.tag === tag ? newest.number : null;
}

/**
 * Makes `staged` the version after `number`, which bore `tag` when it was looked at. @returns false where another is.
 * @throws ESTALE where that cannot be told, because so many others were made since.
 */
export async function publishAfter(plain: string, number: number, staged: StagedFile, tag: string): Promise<boolean> {
  if (!(await publishVersion(staged, versionPath(plain, number + 1)))) return false;
  // Pruning frees numbers, oldest first. Where the version before is still there, this number was never taken before. Where it is gone,
  // many versions were made since the look, and nothing tells whether this one was among them or came after its number was freed.
  const before = await statOrNull(versionPath(plain, number));
  if (!before || tagOf(before) !== tag) throw Object.assign(new Error(`${plain} was replaced too often meanwhile`), { code: 'ESTALE' });
  await tidy(plain, staged);
  return true;
}

async function newestTag(plain: string): Promise<{ readonly number: number; readonly tag: string | null }> {
  const newest = await openNewest(plain);
  await newest?.handle.close();
  return newest ?? { number: 0, tag: null };
}

/** The plain file becomes version 1 as well. @returns false where the document was removed meanwhile. */
async function enterVersions(plain: string): Promise<boolean> {
  await makeFolder(versionsFolder(plain));
  try {
    await link(plain, versionPath(plain, 1));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    if (!isErrno(error, 'EEXIST')) throw error;
  }
  await syncFolder(dirname(plain));
  return true;
}

/** Unlike an object's folder, a folder of versions that is gone is not made again: its document was removed. */
async function publishVersion(staged: StagedFile, path: string): Promise<boolean> {
  try {
    await link(staged.path, path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    if (!isErrno(error, 'EEXIST') || !(await isSameFile(staged, path))) return nullWhereTaken(error);
  }
  await syncFolder(dirname(path));
  return true;
}

function nullWhereTaken(error: unknown): false {
  if (isErrno(error, 'EEXIST')) return false;
  throw error;
}

/** For people and for the disk; what fails here was not needed, and the next replacement does it again. */
async function tidy(plain: string, staged: StagedFile): Promise<void> {
  try {
    await showNewest(plain, `${staged.path}~shown`);
    await prune(plain);
  } catch {
    return;
  }
}

/** Whoever renames last has looked last: once nobody writes, the plain name shows the newest version. */
async function showNewest(plain: string, copy: string): Promise<void> {
  let shown: number | undefined;
  for (let newest = await newestNumber(plain); newest !== shown; newest = await newestNumber(plain)) {
    if (newest === undefined) return;
    await link(versionPath(plain, newest), copy);
    await rename(copy, plain);
    // Where both names led to the same file already, rename leaves both.
    await removeFile(copy);
    shown = newest;
  }
}

/** Oldest first: `replaceNewest` relies on it. */
async function prune(plain: string): Promise<void> {
  const numbers = await numbersIn(plain);
  for (const number of numbers.slice(0, -VERSIONS_KEPT)) await removeFile(versionPath(plain, number));
}

/** Removes the document. Not fenced against a replacement at the same time: documents under compare-and-set are removed by nobody. */
export async function removeVersions(plain: string): Promise<void> {
  for (;;) {
    for (const number of await numbersIn(plain)) await removeFile(versionPath(plain, number));
    try {
      await rmdir(versionsFolder(plain));
    } catch (error) {
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) continue;
      nullWhereAbsent(error);
    }
    return;
  }
}

const newestNumber = async (plain: string): Promise<number | undefined> => (await numbersIn(plain)).at(-1);

async function numbersIn(plain: string): Promise<number[]> {
  const names = await namesIn(versionsFolder(plain));
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

const versionPath = (plain: string, number: number): string => join(versionsFolder(plain), String(number).padStart(WIDTH, '0'));
