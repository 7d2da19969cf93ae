import type { Shape } from '../schema/shape.ts';
import { OPEN_OBJECT, type Scanner } from './scanner.ts';
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

  constructor(scanner: Scanner, capture: readonly string[]) {
    this.scanner = scanner;
    this.shapes = new ShapeReader(scanner, capture);
    this.width = capture.length * 2;
    this.captured = new Uint32Array(512 * this.width);
  }

  /** Passes an array of records; the scanner is on its bracket. */
  array(): void {
    this.scanner.elements(0, () => this.record());
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
    if (2 * this.count < this.spans.length) return;
    this.spans = grown(this.spans);
    this.captured = grown(this.captured);
  }

  result(): { records: number; spans: Uint32Array; captured: Uint32Array; shape: Shape; notObjects: readonly number[] } {
    return {
      records: this.count,
      spans: this.spans.subarray(0, 2 * this.count),
      captured: this.captured.subarray(0, this.count * this.width),
      shape: this.shapes.shape(),
      notObjects: this.notObjects,
    };
  }
}

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
