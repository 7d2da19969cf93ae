/** DuckDB's main header: a checksum, 'DUCK', then the version of the storage format, in the first 4096 bytes. */
const HEADER_BYTES = 4096;
const VERSION_OFFSET = 12;
const MASK = (1n << 64n) - 1n;

/** The same database, as a version of DuckDB to come would have written it: its checksum is right. */
export function ofAnotherVersion(file: Buffer): Buffer {
  const changed = Buffer.from(file);
  changed.writeBigUInt64LE(99n, VERSION_OFFSET);
  changed.writeBigUInt64LE(checksum(changed), 0);
  return changed;
}

function checksum(file: Buffer): bigint {
  let sum = 5381n;
  for (let offset = 8; offset < HEADER_BYTES; offset += 8) sum ^= (file.readBigUInt64LE(offset) * 0xbf58476d1ce4e5b9n) & MASK;
  return sum;
}
