import type { ByteSpan } from './measure.ts';
import { OPEN_ARRAY, OPEN_OBJECT, type Scanner } from './scanner.ts';

/** Where a path of the envelope leads: on to members, to the records, to a value that is wanted, or several of these. */
interface Station {
  readonly members: Map<string, Station>;
  records: boolean;
  wanted: number[];
}

const station = (): Station => ({ members: new Map(), records: false, wanted: [] });

/** Walks what lies around the record array and picks the wanted values up. */
export class EnvelopeReader {
  /** Span of the record array, null until it was passed. Where a name is given twice, the last array counts, as in JSON.parse. */
  span: ByteSpan | null = null;
  readonly values: unknown[];
  private readonly scanner: Scanner;
  private readonly root: Station;
  private readonly passRecords: () => void;

  constructor(scanner: Scanner, records: readonly string[], wanted: readonly (readonly string[])[], passRecords: () => void) {
    this.scanner = scanner;
    this.passRecords = passRecords;
    this.values = wanted.map(() => undefined);
    this.root = station();
    descend(this.root, records).records = true;
    wanted.forEach((path, index) => descend(this.root, path).wanted.push(index));
  }

  read(): void {
    this.value(this.root, 0);
  }

  private value(here: Station | undefined, depth: number): void {
    const { scanner } = this;
    const byte = scanner.peek();
    const start = scanner.at;
    if (here?.records && byte === OPEN_ARRAY && !this.span) this.records(start);
    else if (here && here.members.size > 0 && byte === OPEN_OBJECT) this.members(here, depth);
    else scanner.skip(depth);
    if (here) for (const index of here.wanted) this.values[index] = JSON.parse(scanner.bytes.toString('utf8', start, scanner.at));
  }

  private records(start: number): void {
    this.passRecords();
    this.span = { start, end: this.scanner.at };
  }

  private members(here: Station, depth: number): void {
    const { scanner } = this;
    scanner.members(depth, (below, start, end) => this.value(here.members.get(scanner.decode(start, end, scanner.escaped)), below));
  }
}

function descend(from: Station, path: readonly string[]): Station {
  let here = from;
  for (const name of path) {
    const next = here.members.get(name) ?? station();
    here.members.set(name, next);
    here = next;
  }
  return here;
}
