import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { messageOf, TidemarkError } from '../errors.ts';

/** What the client says that it reads; also what `decodeBody` undoes. */
export const ACCEPT_ENCODING = 'zstd, gzip, deflate, br';

type Decoder = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
  identity: async (body) => body,
};

/**
 * Undoes `Content-Encoding`, the last coding first.
 * @throws SOURCE_SHAPE where a coding is unknown, the bytes are not of that coding, or there would be more than `limitBytes`.
 */
export async function decodeBody(body: Buffer, contentEncoding: string | undefined, limitBytes: number): Promise<Buffer> {
  const codings = (contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  let decoded = body;
  for (const coding of codings.toReversed()) {
    if (coding !== '' && decoded.length > 0) decoded = await undo(coding, decoded, limitBytes);
  }
  return decoded;
}

async function undo(coding: string, body: Buffer, limitBytes: number): Promise<Buffer> {
  const decoder = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
  if (!decoder) throw undecodable(coding, 'this coding is unknown');
  try {
    return await decoder(body, { maxOutputLength: limitBytes });
  } catch (cause) {
    throw undecodable(coding, messageOf(cause), cause);
  }
}

const undecodable = (coding: string, why: string, cause?: unknown): TidemarkError =>
  new TidemarkError({
    code: 'SOURCE_SHAPE',
    message: `the body cannot be decoded as ${coding}: ${why}`,
    hint: 'Nothing of it was kept.',
    data: { failure: 'encoding' },
    cause,
  });
