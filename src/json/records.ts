import { mergeShape, type Shape } from '../schema/shape.ts';
import { QuickRecords } from './quick-records.ts';
import { CLOSE_ARRAY, OPEN_OBJECT, type Scanner } from './scanner.ts';
import { ShapeReader } from './shape-reader.ts';

/** Collects the spans, captured fields and shape of the records that it walks over. */
export class RecordReader {
  private readonly scanner: Scanner;
  private readonly shapes: ShapeReader;
  private readonly width: number;
  private spans = new Uint32Array(1024);
  private captured: Uint32Array;
  private count = 0;
  private readonly notObjects: number[] = [];
  private readonly capture: readonly string[];
  private readonly quickFrom: number;
  private quick: QuickRecords | null = null;

  /** @param quickFrom bytes from which on the kernel reads what it can of an array. */
  constructor(scanner: Scanner, capture: readonly string[], quickFrom = QUICK_FROM) {
    this.scanner = scanner;
    this.capture = capture;
    this.quickFrom = quickFrom;
    this.shapes = new ShapeReader(scanner, capture);
    this.width = capture.length * 2;
    this.captured = new Uint32Array(512 * this.width);
  }

  /** Passes an array of records; the scanner is on its bracket. */
  array(): void {
    const { scanner } = this;
    if (scanner.end - scanner.at >= this.quickFrom) this.quick ??= QuickRecords.of(scanner.bytes, this.capture);
    const { quick } = this;
    if (quick) this.quickly(quick);
    else scanner.elements(0, () => this.record());
  }

  /** The same, where most records are written as records mostly are: the others are passed one by one. */
  private quickly(quick: QuickRecords): void {
    const { scanner } = this;
    scanner.at++;
    if (scanner.peek() === CLOSE_ARRAY) {
      scanner.at++;
      return;
    }
    do {
      const { at, isBehind, spans, captured } = quick.pass(scanner.at);
      this.take(spans, captured);
      scanner.at = at;
      if (!isBehind) this.record();
    } while (!scanner.next(CLOSE_ARRAY));
  }

  private take(spans: Uint32Array, captured: Uint32Array): void {
    const { count, width } = this;
    while (this.spans.length < 2 * count + spans.length) this.grow();
    this.spans.set(spans, 2 * count);
    this.captured.set(captured, count * width);
    this.count += spans.length / 2;
  }

  /** Passes one record. */
  record(): void {
    const { scanner, count, width } = this;
    this.reserve();
    const isObject = scanner.peek() === OPEN_OBJECT;
    const start = scanner.at;
    if (isObject) this.shapes.record(this.captured, count * width);
    else {
      scanner.skip(1);
      this.notObjects.push(count);
    }
    this.spans[2 * count] = start;
    this.spans[2 * count + 1] = scanner.at;
    this.count++;
  }

  private reserve(): void {
    if (2 * this.count >= this.spans.length) this.grow();
  }

  private grow(): void {
    this.spans = grown(this.spans);
    this.captured = grown(this.captured);
  }

  private shape(): Shape {
    const shape = this.shapes.shape();
    if (this.quick) mergeShape(shape, this.quick.shape());
    return shape;
  }

  result(): { records: number; spans: Uint32Array; captured: Uint32Array; shape: Shape; notObjects: readonly number[] } {
    return {
      records: this.count,
      spans: this.spans.subarray(0, 2 * this.count),
      captured: this.captured.subarray(0, this.count * this.width),
      shape: this.shape(),
      notObjects: this.notObjects,
    };
  }
}

/** Of fewer bytes, the kernel is not begun with. */
const QUICK_FROM = 1 << 14;

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
