import { HASH_LENGTH, writeContentHash } from './record.ts';

/** A place, which kernel/table.ts reads, too: where a record begins and ends in its body, of 4 bytes each, and its content hash. */
const END_AT = 4;
export const HASH_AT = 8;
export const PLACE = HASH_AT + HASH_LENGTH;

/** Where the records of a page stand, by their position. */
export class Places {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** @param spans start and end of each record. */
  static of(body: Buffer, spans: Uint32Array): Places {
    const bytes = Buffer.allocUnsafe((spans.length / 2) * PLACE);
    for (let span = 0, at = 0; span < spans.length; span += 2, at += PLACE) {
      const [start, end] = [spans[span] as number, spans[span + 1] as number];
      bytes.writeUInt32LE(start, at);
      bytes.writeUInt32LE(end, at + END_AT);
      writeContentHash(body.subarray(start, end), bytes, at + HASH_AT);
    }
    return new Places(bytes);
  }

  get count(): number {
    return this.bytes.length / PLACE;
  }

  start(position: number): number {
    return this.bytes.readUInt32LE(position * PLACE);
  }

  /** 0 where the record is left out. */
  end(position: number): number {
    return this.bytes.readUInt32LE(position * PLACE + END_AT);
  }

  hash(position: number): string {
    return this.bytes.toString('latin1', position * PLACE + HASH_AT, (position + 1) * PLACE);
  }

  leaveOut(position: number): void {
    this.bytes.writeUInt32LE(0, position * PLACE + END_AT);
  }
}
