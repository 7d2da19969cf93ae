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

  /** Has the bytes from `start` to `end` where the kernel sees them, and as many behind them as fit. */
  show(start: number, end: number): void {
    if (start < this.from || end > this.to) this.bring(start, end);
  }

  /** Where the text would begin. Valid until more is shown, as is what is shown. */
  get origin(): Address {
    return this.address - this.from;
  }

  /** So many bytes of the text are shown at most. */
  get limit(): number {
    return this.to;
  }

  private bring(start: number, end: number): void {
    this.from = start;
    this.to = Math.max(end, Math.min(this.source.length, start + PIECE));
    this.address = this.kernel.calls.reserveBytes(this.piece, this.to - start + PADDING);
    this.kernel.bytes().set(this.source.subarray(start, this.to), this.address);
  }
}
