import type { Address, Kernel } from '../kernel.ts';

/** How deep a column lies: its greatest definition and repetition level (Dremel's, as Parquet has them). */
export interface Depth {
  readonly definition: number;
  readonly repetition: number;
}

/** Bytes of a value; 0 for texts. */
const WIDTH = { text: 0, long: 8, wide: 16, int: 4, boolean: 1 } as const;
export type ColumnKind = keyof typeof WIDTH;

/** A leaf column of a row group while it is filled, in the kernel's memory. Repetition is 0 where a record begins with the entry. */
export class Column {
  readonly address: Address;
  readonly kind: ColumnKind;
  private readonly kernel: Kernel;

  constructor(kernel: Kernel, kind: ColumnKind, { definition, repetition }: Depth) {
    this.kernel = kernel;
    this.kind = kind;
    this.address = kernel.calls.createColumn(definition, repetition, WIDTH[kind], Number(kind === 'boolean'));
  }

  /** An entry without a value. */
  null(definition: number, repetition: number): void {
    this.kernel.calls.appendNull(this.address, definition, repetition);
  }

  text(text: string, repetition: number): void {
    const { address, size } = this.kernel.lend(text);
    this.kernel.calls.appendBytes(this.address, address, size, repetition);
  }

  /** A whole number of 64 bits, or of 128 in a wide column. */
  whole(value: bigint, repetition: number): void {
    if (this.kind === 'long') this.kernel.calls.appendI64(this.address, value, repetition);
    else this.kernel.calls.appendI128(this.address, value >> 64n, BigInt.asIntN(64, value), repetition);
  }

  boolean(value: boolean, repetition: number): void {
    this.kernel.calls.appendFlag(this.address, Number(value), repetition);
  }

  /** Values and nulls. */
  get entries(): number {
    return this.kernel.calls.entriesOf(this.address);
  }

  /** Records that have begun. */
  get rows(): number {
    return this.kernel.calls.rowsOf(this.address);
  }

  /** Entries without a value. */
  get nulls(): number {
    return this.kernel.calls.nullsOf(this.address);
  }

  /** Least and greatest of whole numbers, of which there is at least one. */
  get range(): readonly [least: number, greatest: number] {
    return [Number(this.kernel.calls.leastOf(this.address)), Number(this.kernel.calls.greatestOf(this.address))];
  }

  /** Takes back what came after so many records. */
  truncate(rows: number): void {
    this.kernel.calls.truncate(this.address, rows);
  }

  /** Makes room for another row group. */
  clear(): void {
    this.kernel.calls.clear(this.address);
  }
}
