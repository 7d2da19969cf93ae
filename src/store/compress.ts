import { promisify } from 'node:util';
import { constants, gunzipSync, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { messageOf, TidemarkError } from '../errors.ts';
import type { ObjectStore } from './object-store.ts';

/** Of pages of JSON, level 1 makes less than 3 does, in two thirds of the time. gzip-6 takes several times as long and makes more. */
const ZSTD_LEVEL = 1;
/** In what pieces a result comes: each costs a turn of the event loop, and Node's own are of 16 KiB. A quarter of the body holds most. */
const LEAST_CHUNK = 16 * 1024;
/** A body that unfolds to more is refused: no page is so large, and a bomb must not take the process down. */
const LARGEST_BODY = 1024 ** 3;

const deflate = promisify(zstdCompress);

/** The bytes as they are stored under a name that ends in `.zst`. The frame carries a checksum of its content. */
export function compress(body: Uint8Array): Promise<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  return deflate(body, { params, chunkSize: Math.max(LEAST_CHUNK, body.length >>> 2) });
}

const startsWith = (bytes: Buffer, ...magic: number[]): boolean => magic.every((byte, at) => bytes[at] === byte);

/** A data frame, or one that decoders skip: parallel compressors begin with the latter. */
const isZstd = (bytes: Buffer): boolean =>
  startsWith(bytes, 0x28, 0xb5, 0x2f, 0xfd) || (((bytes[0] ?? 0) & 0xf0) === 0x50 && bytes.subarray(1, 4).equals(SKIPPABLE));
const SKIPPABLE = Buffer.from([0x2a, 0x4d, 0x18]);

/** Where nothing is expected: JSON unfolds to some seven times of what is stored of it. */
const USUAL_RATIO = 8;
const LARGEST_GUESS = 64 * 1024 ** 2;

/** Added to the expected size, so that a body that is somewhat larger still comes in one piece. */
const SLACK = 64 * 1024;

/**
 * Undoes zstd or gzip, told by the bytes' own magic: foreign files are often named wrongly. Other bytes come back as they are.
 * @param expected about so many bytes: what is decompressed into one piece need not be joined.
 * @throws an Error of node:zlib where the bytes break off or are damaged.
 */
export function unfold(stored: Buffer, expected = 0): Buffer {
  if (isZstd(stored)) return unfoldZstd(stored, expected);
  return startsWith(stored, 0x1f, 0x8b) ? gunzipSync(stored, { maxOutputLength: LARGEST_BODY }) : stored;
}

/** All frames of a file: Node stops after the first, and says nothing of the rest. */
function unfoldZstd(stored: Buffer, expected: number): Buffer {
  const parts: Buffer[] = [];
  let room = LARGEST_BODY;
  const guess = Math.min(USUAL_RATIO * stored.length, LARGEST_GUESS);
  const chunkSize = Math.min(expected === 0 ? guess : expected, LARGEST_BODY) + SLACK;
  for (let rest = stored; rest.length > 0; ) {
    if (!isZstd(rest)) throw new Error(`${rest.length} bytes follow that are not zstd`);
    const { buffer, engine } = zstdDecompressSync(rest, { info: true, chunkSize, maxOutputLength: room }) as unknown as Unfolded;
    parts.push(buffer);
    room -= buffer.length;
    rest = rest.subarray(engine.bytesWritten);
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

/** What Node returns under `info`; its types know nothing of it for zstd. */
interface Unfolded {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** `unfold` for an object of the store. @param key names it in the error. @throws CORRUPT where the bytes break off or are damaged. */
export function decompress(key: string, stored: Buffer): Buffer {
  try {
    return unfold(stored);
  } catch (cause) {
    throw new TidemarkError({
      code: 'CORRUPT',
      message: `${key} cannot be decompressed: ${messageOf(cause)}`,
      hint: 'The object is left as it is. Restore it from a copy or an older object version; `tidemark verify` lists what depends on it.',
      data: { key, storedBytes: stored.length },
      cause,
    });
  }
}

/** @returns an object's content after decompression, or null where there is none. @throws CORRUPT */
export async function readBody(store: ObjectStore, key: string): Promise<Buffer | null> {
  const object = await store.get(key);
  return object && decompress(key, object.body);
}
