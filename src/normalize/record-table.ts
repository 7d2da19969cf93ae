import { canonicalJson, type ExactObject, type ExactValue, isHollow, JsonNumber, memberOf, parseExact } from '../json/exact.ts';
import type { Address, Kernel, Outside } from '../kernel.ts';
import { HASH_LENGTH } from '../page/record.ts';
import type { Column } from '../parquet/column.ts';
import { Excerpt } from '../parquet/excerpt.ts';
import { inputText } from '../schema/transform.ts';
import { parseInstant, type TimeForm } from '../time.ts';
import { appendRecord, appendValue } from './exact-values.ts';
import { KIND, type RecordField, RecordFields } from './record-field.ts';
import { type LaidOut, layOut, type TableLayout } from './table-layout.ts';

/** A record of the page that is open. */
export interface RecordPlace {
  readonly position: number;
  /** Of its bytes in the body. */
  readonly start: number;
  readonly end: number;
  /** Where its content hash begins in the index. */
  readonly hash: number;
}

/** What `oddValue` answers. */
const [NULL, VALUE, ODD_RECORD] = [0, 1, 2];
/** Bytes of a constant in the kernel's list of them: column, address, length. */
const CONSTANT = 12;

/** The rows of a batch as columns: those of the record's fields, and those of its lineage. The kernel reads records into them. */
export class RecordTable implements Outside {
  readonly kernel: Kernel;
  private readonly fields: RecordFields;
  private readonly laid: LaidOut;
  private readonly timeForm: TimeForm;
  private readonly overflow: readonly string[];
  private readonly isSighting: boolean;
  private readonly body: Excerpt;
  private readonly index: Excerpt;
  private readonly constants: Address;
  private pageKey: Address = 0;
  private readonly address: Address;

  constructor(kernel: Kernel, layout: TableLayout, batch: string) {
    this.kernel = kernel;
    this.fields = new RecordFields(kernel);
    this.laid = layOut(this.fields, layout, batch);
    this.timeForm = layout.version[0].form;
    this.overflow = layout.schema?.overflow ?? [];
    this.isSighting = layout.schema === null;
    this.body = new Excerpt(kernel);
    this.index = new Excerpt(kernel);
    const { calls } = kernel;
    const { position, contentHash, overflow, constants, inputs } = this.laid;
    this.address = calls.createTable(position.address, contentHash.address);
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

  /** Whether every row has a value in each column. */
  get isFull(): boolean {
    return this.columns.every((column) => column.nulls === 0);
  }

  /** Version times of the rows, Micros; of at least one. */
  get times(): readonly [first: number, last: number] {
    return this.laid.time.range;
  }

  /** Forgets what was appended. */
  clear(): void {
    for (const column of this.columns) column.clear();
  }

  /** The records that follow are of this page. @param key of the page. @param index lines that have their content hashes. */
  open(body: Buffer, key: string, index: Buffer): void {
    this.kernel.answeredBy(this);
    this.body.open(body);
    this.index.open(index);
    if (this.pageKey !== 0) this.kernel.calls.release(this.pageKey);
    this.pageKey = this.kernel.keep(Buffer.from(key));
    const last = this.constants + CONSTANT * (this.laid.constants.length - 1);
    this.kernel.bytes().writeUInt32LE(this.pageKey, last + 4);
    this.kernel.bytes().writeUInt32LE(Buffer.byteLength(key), last + 8);
  }

  /** @returns whether the record must be read into an object, for `appendExact`: nothing was appended then. */
  append({ position, start, end, hash }: RecordPlace): boolean {
    const record = this.body.show(start, end);
    const contentHash = this.index.show(hash, hash + HASH_LENGTH);
    if (this.kernel.calls.readRow(this.address, this.laid.root.address, record, position, contentHash) === 0) return false;
    const { rows } = this;
    for (const column of this.columns) column.truncate(rows);
    return true;
  }

  appendExact(record: ExactObject, { position, hash }: RecordPlace): void {
    appendRecord(this.laid.root, record, this.timeForm);
    this.appendOverflow(record);
    for (const { path, column } of this.laid.inputs) {
      const text = inputText(record, path);
      if (text === null) column.null(1, 0);
      else column.text(text, 0);
    }
    this.kernel.calls.appendLineage(this.address, position, this.index.show(hash, hash + HASH_LENGTH));
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
    if (this.isSighting && !isPlain(of, value, this.timeForm)) return ODD_RECORD;
    appendValue(of, value, repetition, this.timeForm);
    return isHollow(value) ? NULL : VALUE;
  }

  newMember(field: number, start: Address, end: Address): Address {
    const name = this.kernel.bytes().toString('utf8', start + 1, end - 1);
    return this.fields.meet(this.fields.field(field), name).address;
  }
}

/** Whether a key or version may stand as it is, surely. */
function isPlain({ kind }: RecordField, value: ExactValue, timeForm: TimeForm): boolean {
  const text = value instanceof JsonNumber ? value.source : value;
  if (typeof text !== 'string') return false;
  if (kind === KIND.time) return parseInstant(text, timeForm) !== null;
  if (kind === KIND.version) return /^-?\d{1,18}$/.test(text);
  return value instanceof JsonNumber ? /^-?[1-9]\d*$/.test(text) : text !== '';
}
