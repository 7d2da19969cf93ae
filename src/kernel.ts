import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assert, messageOf, TidemarkError } from './errors.ts';
import { parseInstant } from './time.ts';

/** Addresses in the kernel's memory. */
export type Address = number;

/** What kernel/index.ts exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  allocate(size: number): Address;
  release(address: Address): void;
  createBytes(): Address;
  reserveBytes(bytes: Address, size: number): Address;
  startOf(bytes: Address): Address;
  lengthOf(bytes: Address): number;
  createColumn(definition: number, repetition: number, width: number, isFlags: number): Address;
  appendNull(column: Address, definition: number, repetition: number): void;
  appendI64(column: Address, value: bigint, repetition: number): void;
  appendI128(column: Address, high: bigint, low: bigint, repetition: number): void;
  appendFlag(column: Address, value: number, repetition: number): void;
  appendBytes(column: Address, text: Address, size: number, repetition: number): void;
  clear(column: Address): void;
  truncate(column: Address, rows: number): void;
  entriesOf(column: Address): number;
  rowsOf(column: Address): number;
  nullsOf(column: Address): number;
  leastOf(column: Address): bigint;
  greatestOf(column: Address): bigint;
  codedOf(column: Address): number;
  dictionaryOf(column: Address): Address;
  encode(column: Address, into: Address): number;
  createField(id: number, kind: number, definition: number, repetition: number, scale: number, column: Address): Address;
  setPattern(field: Address, pattern: Address, length: number): void;
  setLeaves(field: Address, leaves: Address, count: number): void;
  setMembers(field: Address, members: Address, count: number): void;
  setElement(field: Address, element: Address): void;
  setAlso(field: Address, also: Address): void;
  meetMember(field: Address, member: Address): void;
  createShape(name: Address, nameLength: number, capture: number): Address;
  releaseShape(shape: Address): void;
  measureRecords(root: Address, body: Address, at: Address, wanted: Address, wantedCount: number): Address;
  endedBehind(): number;
  spansOf(): Address;
  capturedOf(): Address;
  seenOf(shape: Address): number;
  integerDigitsOf(shape: Address): number;
  scaleOf(shape: Address): number;
  elementOf(shape: Address): Address;
  placeOf(shape: Address): number;
  nameOf(shape: Address): Address;
  nameLengthOf(shape: Address): number;
  childCountOf(shape: Address): number;
  childOf(shape: Address, place: number): Address;
  createTable(root: Address, position: Address, contentHash: Address): Address;
  setConstants(table: Address, constants: Address, count: number): void;
  setNulls(table: Address, columns: Address, count: number): void;
  appendLineage(table: Address, position: number, contentHash: Address): void;
  readRows(table: Address, origin: Address, limit: number, places: Address, from: number, to: number): number;
  readMembers(
    table: Address,
    members: Address,
    memberCount: number,
    known: Address,
    origin: Address,
    limit: number,
    places: Address,
    from: number,
    to: number,
  ): number;
  readLines(table: Address, places: Address, start: Address, end: Address): number;
}

/** What the kernel asks for where it meets what it does not read itself. */
export interface Outside {
  /** @returns 0 for what is as good as null, 1 for a value, 2 where the whole record must be read outside. */
  oddValue(field: number, start: Address, end: Address, repetition: number): number;
  /** A member of that name (with its quotes) that an object has for the first time. */
  newMember(field: number, start: Address, end: Address): Address;
}

/** A WebAssembly instance with memory of its own: what reads records into columns, and encodes them. */
export class Kernel {
  readonly calls: Exports;
  private outside: Outside | null = null;
  private memory: Buffer = Buffer.alloc(0);
  private readonly scratch: Address;

  constructor() {
    const instance = new WebAssembly.Instance(compiled(), {
      env: { abort: () => assert(false, 'the kernel has no room left') },
      reader: {
        oddValue: (field: number, start: Address, end: Address, repetition: number) => this.asked().oddValue(field, start, end, repetition),
        newMember: (field: number, start: Address, end: Address) => this.asked().newMember(field, start, end),
        dayBegin: (start: Address) => dayBegin(this.bytes().toString('latin1', start, start + DAY_LENGTH)),
      },
    });
    this.calls = instance.exports as Exports;
    this.scratch = this.calls.createBytes();
  }

  /** Who answers it from now on. */
  answeredBy(outside: Outside): void {
    this.outside = outside;
  }

  /** Its memory. Valid until it grows, which any call may make it do. */
  bytes(): Buffer {
    const { buffer } = this.calls.memory;
    if (this.memory.buffer !== buffer) this.memory = Buffer.from(buffer);
    return this.memory;
  }

  /** Puts bytes where they stay, with zeros behind them: texts are read by whole vectors. */
  keep(bytes: Uint8Array): Address {
    const address = this.calls.allocate(bytes.length + PADDING);
    this.bytes().fill(0, address, address + bytes.length + PADDING);
    this.bytes().set(bytes, address);
    return address;
  }

  /** The same of addresses and numbers. */
  keepNumbers(numbers: readonly number[]): Address {
    return this.keep(new Uint8Array(Uint32Array.from(numbers).buffer));
  }

  /** Puts a text where it stays until the next one. @returns where, and its length in bytes. */
  lend(text: string): { readonly address: Address; readonly size: number } {
    const size = Buffer.byteLength(text);
    const address = this.calls.reserveBytes(this.scratch, size);
    this.bytes().write(text, address);
    return { address, size };
  }

  /** Puts bytes in place of what such bytes (`createBytes`) held, with room behind them for a vector. @returns where. */
  fill(bytes: Address, content: Uint8Array): Address {
    const address = this.calls.reserveBytes(bytes, content.length + PADDING);
    this.bytes().set(content, address);
    return address;
  }

  private asked(): Outside {
    assert(this.outside, 'nobody reads a record');
    return this.outside;
  }
}

/** Two vectors: a name is compared with what stands at its place, and may be shorter. */
const PADDING = 32;
const DAY_LENGTH = '2026-11-20'.length;
const NO_DAY = -(2n ** 63n);

/** Microseconds; of no day, what kernel/reader.ts takes for none. */
function dayBegin(day: string): bigint {
  const begin = parseInstant(`${day}T00:00:00Z`, 'iso');
  return begin === null ? NO_DAY : BigInt(begin);
}

let module: WebAssembly.Module | null = null;
/** @throws CONFIG where it was not built. */
function compiled(): WebAssembly.Module {
  module ??= new WebAssembly.Module(readKernel());
  return module;
}

function readKernel(): Uint8Array {
  const url = new URL('../kernel/kernel.wasm', import.meta.url);
  try {
    return readFileSync(url);
  } catch (cause) {
    throw new TidemarkError({
      code: 'CONFIG',
      message: `${fileURLToPath(url)} cannot be read: ${messageOf(cause)}`,
      hint: 'Nothing was done. A package has it; in a clone, `make install` builds it.',
      cause,
    });
  }
}
