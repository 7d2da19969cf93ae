import { type Address, Kernel } from '../kernel.ts';
import { SEEN, type Shape } from '../schema/shape.ts';

/** A body with more bytes is read without the kernel, which would have to hold it whole. */
const LARGEST = 64 << 20;
/** Zeros behind a body: whatever the kernel reads past the end is nothing that it takes. */
const PADDING = 64;

/** The thread's own, for measuring. */
let kernel: Kernel | null = null;
let bodies: Address = 0;
/** Who holds memory of it. */
let open: QuickRecords | null = null;

/** What was passed: records from one offset to another. Offsets are into the body. */
export interface Passed {
  /** Where it ended, and whether that is behind a record, rather than before one. */
  readonly at: number;
  readonly isBehind: boolean;
  /** Start and end of each record; of each of its captured fields. */
  readonly spans: Uint32Array;
  readonly captured: Uint32Array;
}

/** Passes records that are written as most are, by the kernel, and takes their shape. All others are left to whoever reads any JSON. */
export class QuickRecords {
  private readonly kernel: Kernel;
  private readonly root: Address;
  private readonly body: Address;
  private readonly wanted: Address;
  private readonly nodes: readonly Address[];

  /** @returns null where the body is too large. */
  static of(body: Buffer, capture: readonly string[]): QuickRecords | null {
    if (body.length > LARGEST) return null;
    // A body that was no JSON has left its own behind.
    open?.release();
    open = new QuickRecords(body, capture);
    return open;
  }

  private constructor(body: Buffer, capture: readonly string[]) {
    this.kernel = kernel ??= new Kernel();
    const { calls } = this.kernel;
    if (bodies === 0) bodies = calls.createBytes();
    this.body = calls.reserveBytes(bodies, body.length + PADDING);
    this.kernel.bytes().set(body, this.body);
    this.kernel.bytes().fill(0, this.body + body.length, this.body + body.length + PADDING);
    this.root = calls.createShape(0, 0, -1);
    this.nodes = capture.map((name, place) => {
      const pattern = Buffer.from(`${JSON.stringify(name)}:`);
      const address = this.kernel.keep(pattern);
      const node = calls.createShape(address, pattern.length, place);
      calls.release(address);
      return node;
    });
    this.wanted = this.kernel.keepNumbers(this.nodes);
  }

  /** @param start of an element of the record array, or of blanks before one. */
  pass(start: number): Passed {
    const { calls } = this.kernel;
    const end = calls.measureRecords(this.root, this.body, this.body + start, this.wanted, this.nodes.length);
    return {
      at: end - this.body,
      isBehind: calls.endedBehind() === 1,
      spans: this.numbers(calls.spansOf()),
      captured: this.numbers(calls.capturedOf()),
    };
  }

  /** The shape of what was passed. Nothing more can be passed then. */
  shape(): Shape {
    const shape = this.shapeAt(this.root);
    this.release();
    return shape;
  }

  private release(): void {
    const { calls } = this.kernel;
    for (const node of this.nodes) if (calls.placeOf(node) < 0) calls.releaseShape(node);
    calls.releaseShape(this.root);
    calls.release(this.wanted);
    open = null;
  }

  private shapeAt(node: Address): Shape {
    const { calls } = this.kernel;
    const element = calls.elementOf(node);
    const members = new Map<string, Shape>();
    for (let place = 0; place < calls.childCountOf(node); place++) {
      const child = calls.childOf(node, place);
      members.set(this.nameAt(child), this.shapeAt(child));
    }
    const seen = calls.seenOf(node);
    return {
      seen,
      integerDigits: calls.integerDigitsOf(node),
      scale: calls.scaleOf(node),
      element: element === 0 ? null : this.shapeAt(element),
      members: (seen & SEEN.object) === 0 ? null : members,
    };
  }

  private nameAt(node: Address): string {
    const name = this.kernel.calls.nameOf(node);
    return this.kernel.bytes().toString('utf8', name + 1, name + this.kernel.calls.nameLengthOf(node) - 2);
  }

  private numbers(bytes: Address): Uint32Array {
    const { calls } = this.kernel;
    return new Uint32Array(this.kernel.bytes().buffer, calls.startOf(bytes), calls.lengthOf(bytes) / 4);
  }
}
