import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { ObjectInfo } from './object-store.ts';

/** What is sent as an object: of known size, and opened anew for each send. */
export interface Content {
  readonly size: number;
  /** Of the bytes, so that the store refuses what was damaged on the way. */
  readonly crc32: number;
  readonly open: () => Uint8Array | Readable;
}

export const bytesContent = (body: Uint8Array): Content => ({ size: body.byteLength, crc32: crc32(body), open: () => body });

export async function fileContent(path: string): Promise<Content> {
  const { size } = await stat(path);
  let checksum = 0;
  for await (const chunk of createReadStream(path)) checksum = crc32(chunk as Buffer, checksum);
  return { size, crc32: checksum, open: () => createReadStream(path) };
}

/** As S3's headers carry a checksum. */
export function base64Of(checksum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(checksum);
  return bytes.toString('base64');
}

export async function collect(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A body that breaks off leaves no part of a file behind, so that the next attempt can begin anew. */
export async function copyOut({ size }: ObjectInfo, body: Readable, path: string): Promise<number> {
  const output = createWriteStream(path, { flags: 'wx' });
  let opened = false;
  output.once('open', () => (opened = true));
  try {
    await pipeline(body, output);
    return size;
  } catch (error) {
    if (opened) await rm(path, { force: true });
    throw error;
  }
}
