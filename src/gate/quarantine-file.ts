import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { messageOf, TidemarkError } from '../errors.ts';
import type { QuarantinedRecord } from '../manifest/documents.ts';
import type { ObjectStore } from '../store/object-store.ts';

type Records = Iterable<QuarantinedRecord> | AsyncIterable<QuarantinedRecord>;

/** Writes records as NDJSON under zstd through a scratch file: memory stays flat, however many fail. @returns how many there were. */
export async function storeRecords(store: ObjectStore, key: string, records: Records, scratch = tmpdir()): Promise<number> {
  return withScratch(scratch, async (path) => {
    let count = 0;
    async function* lines() {
      for await (const record of records) {
        count += 1;
        yield `${JSON.stringify(record)}\n`;
      }
    }
    await pipeline(Readable.from(lines()), createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } }), createWriteStream(path));
    if (count > 0) await store.upload(key, path);
    return count;
  });
}

/** Hands each record of the file to `visit`, in order. @throws CORRUPT where it is not what was written. */
export async function visitRecords(
  store: ObjectStore,
  key: string,
  visit: (record: QuarantinedRecord) => void,
  scratch = tmpdir(),
): Promise<void> {
  await withScratch(scratch, async (path) => {
    await store.download(key, path);
    try {
      await pipeline(createReadStream(path), createZstdDecompress(), async (chunks: AsyncIterable<Buffer>) => {
        for await (const line of linesOf(chunks)) visit(JSON.parse(line));
      });
    } catch (cause) {
      throw damaged(key, cause);
    }
  });
}

const damaged = (key: string, cause: unknown): TidemarkError =>
  new TidemarkError({
    code: 'CORRUPT',
    message: `${key} cannot be read: ${messageOf(cause)}`,
    hint: 'Nothing was changed. Restore the object from a copy or an older version; the records are also in their raw pages.',
    data: { key },
    cause,
  });

/** Split at line feeds only: a record may hold other separators, which readline would take for line ends. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

async function withScratch<T>(scratch: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(scratch, 'tidemark-quarantine-'));
  try {
    return await use(join(folder, 'records.ndjson.zst'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
