import { constants, createWriteStream, type Dirent } from 'node:fs';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { checkKey, RESERVED_SEGMENT } from './check-key.ts';
import {
  isErrno,
  nullWhereAbsent,
  publish,
  removeEmptyFolders,
  removeFile,
  type StagedFile,
  stageBytes,
  stageCopy,
  statOrNull,
  sweepStaging,
} from './disk.ts';
import { type FileAttempt, fileFailure, notFound } from './failure.ts';
import type { CreateOutcome, ObjectInfo, ObjectStore, StoredObject } from './object-store.ts';
import { type Newest, openNewest, removeVersions, replaceNewest } from './versions.ts';

/**
 * A folder as an object store, for any number of processes. Objects are plain files at plain names, so that people can read the tree.
 * A file is written aside and flushed, then linked to its name, which fails where the name is taken; versions.ts tells how documents
 * are replaced. The folder is made by the first write.
 * @param path of the folder. @param randomId fresh names for files that are being written.
 */
export function fileStore(path: string, randomId: () => string): ObjectStore {
  const root = resolve(path);
  const url = `file:${path}`;
  let swept: Promise<void> | null = null;

  const guarded = async <T>(action: FileAttempt['action'], key: string, work: (file: string) => Promise<T>): Promise<T> => {
    checkKey(key);
    try {
      return await work(join(root, key));
    } catch (error) {
      throw fileFailure(error, { action, url, key, path: root });
    }
  };

  /** Writes a file aside, hands it on, and removes the name that it was written under. */
  const withStaged = async <T>(stage: (name: string) => Promise<StagedFile>, use: (staged: StagedFile) => Promise<T>): Promise<T> => {
    await (swept ??= sweepStaging(root));
    const staged = await stage(randomId());
    try {
      return await use(staged);
    } finally {
      await removeFile(staged.path);
    }
  };

  const createFrom = (key: string, stage: (name: string) => Promise<StagedFile>): Promise<CreateOutcome> =>
    guarded('write', key, (file) =>
      withStaged(stage, async (staged) =>
        (await publish(staged, file)) ? { outcome: 'created', tag: staged.tag } : { outcome: 'exists' },
      ),
    );

  return {
    url,
    get: (key) => guarded('read', key, (file) => withNewest(file, (newest) => readWhole(key, newest))),
    head: (key) => guarded('read', key, (file) => withNewest(file, async (newest) => infoOf(key, newest))),
    create: (key, body) => createFrom(key, (name) => stageBytes(root, name, body)),
    upload: (key, source) => createFrom(key, (name) => stageCopy(root, name, source)),
    replace: (key, body, tag) =>
      guarded('write', key, (file) =>
        withStaged(
          (name) => stageBytes(root, name, body),
          async (staged) => ((await replaceNewest(file, staged, tag)) ? staged.tag : null),
        ),
      ),
    list: (prefix) => listTree(root, url, prefix),
    remove: (key) =>
      guarded('remove', key, async (file) => {
        await removeVersions(file);
        await removeFile(file);
        await removeEmptyFolders(root, dirname(file));
      }),
    download: (key, target) =>
      guarded('read', key, async (file) => {
        const size = await withNewest(file, (newest) => copyOut(newest, target));
        if (size === null) throw notFound(url, key);
        return size;
      }),
  };
}

async function withNewest<T>(file: string, use: (newest: Newest) => Promise<T>): Promise<T | null> {
  const newest = await openNewest(file);
  if (!newest) return null;
  try {
    return await use(newest);
  } finally {
    await newest.handle.close();
  }
}

const infoOf = (key: string, { size, tag }: Newest): ObjectInfo => ({ key, size, tag });

async function readWhole(key: string, newest: Newest): Promise<StoredObject> {
  return { ...infoOf(key, newest), body: await newest.handle.readFile() };
}

/**
 * The kernel copies, so that no byte comes through this process. A version that was pruned after it was opened has no name any more, and is
 * read from its handle.
 */
async function copyOut({ handle, path, size }: Newest, target: string): Promise<number> {
  try {
    await copyFile(path, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return (await stat(target)).size;
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || (await statOrNull(path))) throw error;
  }
  await pipeline(handle.createReadStream({ autoClose: false }), createWriteStream(target, { flags: 'wx' }));
  return size;
}

async function* listTree(root: string, url: string, prefix: string): AsyncIterable<ObjectInfo> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const segments = folder.split('/').slice(0, -1);
  // No key has such a segment, and the path must not lead out of the root.
  if (segments.some((segment) => ['', '.', '..'].includes(segment) || segment.startsWith(RESERVED_SEGMENT))) return;
  try {
    yield* listFolder(root, folder, prefix.slice(folder.length));
  } catch (error) {
    throw fileFailure(error, { action: 'list', url, key: prefix, path: root });
  }
}

/** One folder's names are in memory at a time, for each level. */
async function* listFolder(root: string, folder: string, start: string): AsyncIterable<ObjectInfo> {
  const entries = (await readdir(join(root, folder), { withFileTypes: true }).catch(nullWhereAbsent)) ?? [];
  for (const { entry, name } of inKeyOrder(entries, start)) {
    const key = `${folder}${name}`;
    if (entry.isDirectory()) yield* listFolder(root, `${key}/`, '');
    else {
      const info = await withNewest(join(root, key), async (newest) => infoOf(key, newest));
      if (info) yield info;
    }
  }
}

/** A folder sorts as its keys do: by its name with the slash, which comes after `-` and `.` but before digits and letters. */
function inKeyOrder(entries: readonly Dirent[], start: string): { entry: Dirent; name: string }[] {
  return entries
    .filter((entry) => (entry.isFile() || entry.isDirectory()) && entry.name.startsWith(start) && !entry.name.startsWith(RESERVED_SEGMENT))
    .map((entry) => ({ entry, name: entry.name, order: Buffer.from(entry.isDirectory() ? `${entry.name}/` : entry.name) }))
    .sort((a, b) => Buffer.compare(a.order, b.order));
}
