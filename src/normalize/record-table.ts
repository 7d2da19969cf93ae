import { canonicalJson, type ExactObject, type ExactValue, isHollow, memberOf, parseExact } from '../json/exact.ts';
import type { Address, Kernel, Outside } from '../kernel.ts';
import { HASH_AT, PLACE, Places } from '../page/places.ts';
import type { Column } from '../parquet/column.ts';
import { Excerpt } from '../parquet/excerpt.ts';
import { inputText } from '../schema/transform.ts';
import type { TimeForm } from '../time.ts';
import { appendRecord, appendValue } from './exact-values.ts';
import { KIND, type RecordField, RecordFields } from './record-field.ts';
import { type LaidOut, layOut, type TableLayout } from './table-layout.ts';

/** How far records were appended. */
export interface Appended {
  /** Position of the first that was not. */
  readonly next: number;
  /** Whether that must be read into an object, for `appendExact`. */
  readonly isOdd: boolean;
  /** About so many bytes of the body hold what was appended. */
  readonly bytes: number;
}

/** What `oddValue` answers. */
const [NULL, VALUE, ODD_RECORD] = [0, 1, 2];
/** Bytes of a constant in the kernel's list of them: column, address, length. */
const CONSTANT = 12;

/** The rows of a batch as columns: those of the record's fields, and those of its lineage. The kernel reads records into them. */
export class RecordTable implements Outside {
  readonly kernel: Kernel;
  private readonly fields: RecordFields;
  protected readonly laid: LaidOut;
  private readonly timeForm: TimeForm;
  private readonly overflow: readonly string[];
  protected readonly body: Excerpt;
  private readonly constants: Address;
  private readonly placesInKernel: Address;
  private places = new Places(Buffer.alloc(0));
  private pageKey: Address = 0;
  protected readonly address: Address;

  constructor(kernel: Kernel, layout: TableLayout, batch: string) {
    this.kernel = kernel;
    this.fields = new RecordFields(kernel);
    this.laid = layOut(this.fields, layout, batch);
    this.timeForm = layout.version[0].form;
    this.overflow = layout.schema?.overflow ?? [];
    this.body = new Excerpt(kernel);
    const { calls } = kernel;
    this.placesInKernel = calls.createBytes();
    const { position, contentHash, overflow, constants, inputs } = this.laid;
    this.address = calls.createTable(this.laid.root.address, position.address, contentHash.address);
    const texts = constants.flatMap(({ column, text }) => [column.address, kernel.keep(Buffer.from(text)), Buffer.byteLength(text)]);
    this.constants = kernel.keepNumbers(texts);
    calls.setConstants(this.address, this.constants, constants.length);
    const nulls = [...(overflow ? [overflow.names, overflow.values] : []), ...inputs.map(({ column }) => column)];
    calls.setNulls(this.address, kernel.keepNumbers(nulls.map(({ address }) => address)), nulls.length);
  }

  get columns(): readonly Column[] {
    return this.laid.columns;
  }

  get rows(): number {
    return this.laid.position.rows;
  }

  /** Whether records must be read into objects because the transform reads what no column has. */
  get readsInputs(): boolean {
    return this.laid.inputs.length > 0;
  }

  /** Forgets what was appended. */
  clear(): void {
    for (const column of this.columns) column.clear();
  }

  /** Takes back what came after so many rows, and what stands in some columns by half. */
  truncate(rows: number): void {
    for (const column of this.columns) column.truncate(rows);
  }

  /** What is appended from now on is of this page. */
  open(key: string): void {
    this.kernel.answeredBy(this);
    if (this.pageKey !== 0) this.kernel.calls.release(this.pageKey);
    this.pageKey = this.kernel.keep(Buffer.from(key));
    const last = this.constants + CONSTANT * (this.laid.constants.length - 1);
    this.kernel.bytes().writeUInt32LE(this.pageKey, last + 4);
    this.kernel.bytes().writeUInt32LE(Buffer.byteLength(key), last + 8);
  }

  /** The same, of which records are appended by their places. */
  openBody(key: string, body: Buffer, places: Places): void {
    this.open(key);
    this.body.open(body);
    this.places = places;
    this.kernel.fill(this.placesInKernel, places.bytes);
  }

  /** Appends records from a position on, some at once. @param to position behind the last. */
  append(from: number, to: number): Appended {
    const { kernel, body, places } = this;
    let first = from;
    while (first < to && places.end(first) === 0) first++;
    if (first === to) return { next: to, isOdd: false, bytes: 0 };
    body.show(places.start(first), places.end(first));
    const next = kernel.calls.readRows(this.address, body.origin, body.limit, this.firstPlace, first, to);
    const isOdd = next < to && places.end(next) <= body.limit;
    if (isOdd) this.truncate(this.rows);
    const end = next === first ? 0 : Math.max(places.start(next - 1), places.end(next - 1));
    return { next, isOdd, bytes: Math.max(0, end - places.start(first)) };
  }

  /** Appends a record that was read into an object. */
  appendExact(record: ExactObject, position: number): void {
    appendRecord(this.laid.root, record, this.timeForm);
    this.appendOverflow(record);
    for (const { path, column } of this.laid.inputs) {
      const text = inputText(record, path);
      if (text === null) column.null(1, 0);
      else column.text(text, 0);
    }
    this.kernel.calls.appendLineage(this.address, position, this.firstPlace + position * PLACE + HASH_AT);
  }

  protected get firstPlace(): Address {
    return this.kernel.calls.startOf(this.placesInKernel);
  }

  /** Names are in ascending order in the schema, and so in the map. */
  private appendOverflow(record: ExactObject): void {
    if (!this.laid.overflow) return;
    const { names, values } = this.laid.overflow;
    const there = this.overflow.filter((name) => !isHollow(memberOf(record, name)));
    if (there.length === 0) for (const column of [names, values]) column.null(0, 0);
    for (const [at, name] of there.entries()) {
      names.text(name, Math.min(at, 1));
      values.text(canonicalJson(memberOf(record, name)), Math.min(at, 1));
    }
  }

  oddValue(field: number, start: Address, end: Address, repetition: number): number {
    const of = this.fields.field(field);
    if (of.kind === KIND.overflow) return ODD_RECORD;
    const value = parseExact(this.kernel.bytes().toString('utf8', start, end));
    if (!this.mayStand(of, value, this.timeForm)) return ODD_RECORD;
    appendValue(of, value, repetition, this.timeForm);
    return isHollow(value) ? NULL : VALUE;
  }

  /** Whether a value that the kernel does not read itself may become that of a column. */
  protected mayStand(_field: RecordField, _value: ExactValue, _timeForm: TimeForm): boolean {
    return true;
  }

  newMember(field: number, start: Address, end: Address): Address {
    const name = this.kernel.bytes().toString('utf8', start + 1, end - 1);
    return this.fields.meet(this.fields.field(field), name).address;
  }
}
