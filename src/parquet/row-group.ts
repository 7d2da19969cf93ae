import { constants, zstdCompressSync } from 'node:zlib';
import type { PageHeader } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer/src/bytewriter.js';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { assert } from '../errors.ts';
import type { Address, Kernel } from '../kernel.ts';
import type { Column } from './column.ts';

/** By the number that the format, and so the kernel, gives them. */
const ENCODINGS = { 0: 'PLAIN', 5: 'DELTA_BINARY_PACKED', 6: 'DELTA_LENGTH_BYTE_ARRAY', 8: 'RLE_DICTIONARY' } as const;
type Encoding = (typeof ENCODINGS)[keyof typeof ENCODINGS];

/** A column's part of a row group. Offsets are from the begin of the row group. */
export interface Chunk {
  readonly encoding: Encoding;
  readonly entries: number;
  readonly dictionaryOffset: number | null;
  readonly dataOffset: number;
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
}

/** A row group that was written: what the footer of its file says of it. */
export interface RowGroup {
  readonly rows: number;
  readonly bytes: number;
  readonly chunks: readonly Chunk[];
}

/** Writes columns of one kernel as row groups. */
export class RowGroupWriter {
  private readonly kernel: Kernel;
  /** Where a page is encoded. */
  private readonly page: Address;
  private readonly write: (bytes: Uint8Array) => void;
  private written = 0;

  constructor(kernel: Kernel, write: (bytes: Uint8Array) => void) {
    this.kernel = kernel;
    this.page = pageOf(kernel);
    this.write = write;
  }

  /** Writes what the columns hold, one data page each, and empties them. */
  flush(columns: readonly Column[]): RowGroup {
    this.written = 0;
    const rows = columns[0]?.rows ?? 0;
    const chunks = columns.map((column) => {
      const chunk = this.chunk(column);
      column.clear();
      return chunk;
    });
    return { rows, bytes: this.written, chunks };
  }

  private chunk(column: Column): Chunk {
    const { calls } = this.kernel;
    const start = this.written;
    const { entries } = column;
    const code = calls.encode(column.address, this.page);
    assert(code === 0 || code === 5 || code === 6 || code === 8, 'the kernel knows four encodings');
    const encoding = ENCODINGS[code];
    let uncompressedBytes = 0;
    if (encoding === 'RLE_DICTIONARY') {
      uncompressedBytes += this.put(calls.dictionaryOf(column.address), {
        type: 'DICTIONARY_PAGE',
        dictionary_page_header: { num_values: calls.codedOf(column.address), encoding: 'PLAIN' },
      });
    }
    const dataOffset = this.written;
    uncompressedBytes += this.put(this.page, {
      type: 'DATA_PAGE',
      data_page_header: { num_values: entries, encoding, definition_level_encoding: 'RLE', repetition_level_encoding: 'RLE' },
    });
    return {
      encoding,
      entries,
      dictionaryOffset: encoding === 'RLE_DICTIONARY' ? start : null,
      dataOffset,
      compressedBytes: this.written - start,
      uncompressedBytes,
    };
  }

  /** @param bytes of the kernel. @returns how many they would be without compression. */
  private put(bytes: Address, header: Omit<PageHeader, 'uncompressed_page_size' | 'compressed_page_size'>): number {
    const { calls } = this.kernel;
    const [start, size] = [calls.startOf(bytes), calls.lengthOf(bytes)];
    const compressed = compress(this.kernel.bytes().subarray(start, start + size));
    const writer = new ByteWriter(64);
    writePageHeader(writer, { ...header, uncompressed_page_size: size, compressed_page_size: compressed.length });
    const head = writer.getBytes();
    this.write(head);
    this.write(compressed);
    this.written += head.length + compressed.length;
    return head.length + size;
  }
}

const pages = new WeakMap<Kernel, Address>();
function pageOf(kernel: Kernel): Address {
  const page = pages.get(kernel) ?? kernel.calls.createBytes();
  pages.set(kernel, page);
  return page;
}

const LEAST_CHUNK = 4096;

function compress(bytes: Buffer): Buffer {
  const params = { [constants.ZSTD_c_compressionLevel]: 1 };
  return zstdCompressSync(bytes, { params, chunkSize: LEAST_CHUNK + bytes.length });
}
