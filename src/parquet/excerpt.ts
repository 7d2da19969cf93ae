import type { Address, Kernel } from '../kernel.ts';

/** Bytes that are given to the kernel at once. */
const PIECE = 1 << 18;
/** It reads a vector past the end. */
const PADDING = 16;

/** Shows the kernel a large text piece by piece, from front to back. */
export class Excerpt {
  private readonly kernel: Kernel;
  private readonly piece: Address;
  private source: Buffer = Buffer.alloc(0);
  private from = 0;
  private to = 0;
  private address: Address = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.piece = kernel.calls.createBytes();
  }

  open(source: Buffer): void {
    this.source = source;
    this.from = 0;
    this.to = 0;
  }

  /** @returns where the bytes from `start` to `end` stand; valid until the next call. */
  show(start: number, end: number): Address {
    if (start < this.from || end > this.to) this.bring(start, end);
    return this.address + start - this.from;
  }

  private bring(start: number, end: number): void {
    this.from = start;
    this.to = Math.max(end, Math.min(this.source.length, start + PIECE));
    this.address = this.kernel.calls.reserveBytes(this.piece, this.to - start + PADDING);
    this.kernel.bytes().set(this.source.subarray(start, this.to), this.address);
  }
}
