import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import type { RowGroup as GroupMetadata, SchemaElement } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer/src/bytewriter.js';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import { assert } from '../errors.ts';
import type { Chunk, RowGroup } from './row-group.ts';
import type { Leaf, ParquetSchema } from './schema.ts';

/** Row groups of one schema, one after the other in a local file. */
export interface WrittenGroups {
  readonly path: string;
  readonly groups: readonly RowGroup[];
}

const MAGIC = Buffer.from('PAR1');
/** Bytes that are copied at once. */
const PIECE = 1 << 20;

/** Makes one Parquet file of row groups that were written apart. @returns its rows. */
export function joinRowGroups(path: string, { elements, leaves }: ParquetSchema, parts: readonly WrittenGroups[]): number {
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, MAGIC);
    const groups: GroupMetadata[] = [];
    let offset = MAGIC.length;
    for (const part of parts) {
      const bytes = part.groups.reduce((sum, group) => sum + group.bytes, 0);
      assert(append(file, part.path) === bytes, `${part.path} does not have the bytes that were written`);
      for (const group of part.groups) {
        groups.push(metadataOf(group, leaves, offset));
        offset += group.bytes;
      }
    }
    const rows = parts.reduce((sum, part) => sum + part.groups.reduce((of, group) => of + group.rows, 0), 0);
    writeFileSync(file, footer(elements, groups, rows));
    return rows;
  } finally {
    closeSync(file);
  }
}

/** @returns how many bytes were copied. */
function append(file: number, path: string): number {
  const source = openSync(path, 'r');
  const piece = Buffer.allocUnsafe(PIECE);
  let copied = 0;
  try {
    for (let read = readSync(source, piece); read > 0; read = readSync(source, piece)) {
      writeFileSync(file, piece.subarray(0, read));
      copied += read;
    }
  } finally {
    closeSync(source);
  }
  return copied;
}

function footer(elements: readonly SchemaElement[], groups: GroupMetadata[], rows: number): Buffer {
  const writer = new ByteWriter(1 << 16);
  writeMetadata(writer, {
    version: 2,
    schema: [...elements],
    num_rows: BigInt(rows),
    row_groups: groups,
    created_by: 'tidemark',
    metadata_length: 0,
  });
  writer.appendBytes(MAGIC);
  return Buffer.from(writer.getBytes());
}

function metadataOf({ rows, bytes, chunks }: RowGroup, leaves: readonly Leaf[], offset: number): GroupMetadata {
  return {
    columns: chunks.map((chunk, at) => columnOf(chunk, leaves[at] as Leaf, offset)),
    total_byte_size: BigInt(chunks.reduce((sum, chunk) => sum + chunk.uncompressedBytes, 0)),
    num_rows: BigInt(rows),
    file_offset: BigInt(offset),
    total_compressed_size: BigInt(bytes),
  };
}

function columnOf(chunk: Chunk, { path, type }: Leaf, offset: number): GroupMetadata['columns'][number] {
  const at = (relative: number): bigint => BigInt(offset + relative);
  return {
    file_offset: 0n,
    meta_data: {
      type,
      encodings: chunk.dictionaryOffset === null ? ['RLE', chunk.encoding] : ['RLE', 'PLAIN', chunk.encoding],
      path_in_schema: [...path],
      codec: 'ZSTD',
      num_values: BigInt(chunk.entries),
      total_uncompressed_size: BigInt(chunk.uncompressedBytes),
      total_compressed_size: BigInt(chunk.compressedBytes),
      data_page_offset: at(chunk.dataOffset),
      ...(chunk.dictionaryOffset === null ? {} : { dictionary_page_offset: at(chunk.dictionaryOffset) }),
    },
  };
}
