import { assert } from '../errors.ts';
import { type ExactValue, JsonNumber } from '../json/exact.ts';
import type { Address, Kernel } from '../kernel.ts';
import { Places } from '../page/places.ts';
import { parseInstant, type TimeForm } from '../time.ts';
import { KIND, type RecordField } from './record-field.ts';
import { RecordTable } from './record-table.ts';
import type { TableLayout } from './table-layout.ts';

/** What `readLines` answers of lines that are none of an index. */
const NO_INDEX = -1;

/** Sightings as columns: of records that surely may enter, key, version and lineage. Pages are appended whole. */
export class SightingTable extends RecordTable {
  private readonly known: Address;
  private readonly lines: Address;
  private readonly members = new Map<string, Address>();

  constructor(kernel: Kernel, layout: TableLayout) {
    super(kernel, layout, '');
    [this.known, this.lines] = [kernel.calls.createBytes(), kernel.calls.createBytes()];
  }

  /** Whether every row has a value in each column. */
  get isFull(): boolean {
    return this.columns.every((column) => column.nulls === 0);
  }

  /** Version times of the rows, Micros; of at least one. */
  get times(): readonly [first: number, last: number] {
    return this.laid.time.range;
  }

  /**
   * Appends the records of a page by their fields.
   * @param captured start and end of each of `names` in each record, 0 and 0 where there is none. @returns whether all of them could be.
   */
  appendMembers(key: string, body: Buffer, places: Places, names: readonly string[], captured: Uint32Array): boolean {
    const { calls } = this.kernel;
    this.openBody(key, body, places);
    const members = this.membersOf(names);
    const known = this.kernel.fill(this.known, new Uint8Array(captured.buffer, captured.byteOffset, captured.byteLength));
    const { firstPlace } = this;
    for (let at = 0; at < places.count; ) {
      this.body.show(places.start(at), places.end(at));
      const { origin, limit } = this.body;
      at = calls.readMembers(this.address, members, names.length, known, origin, limit, firstPlace, at, places.count);
      if (at < places.count && places.end(at) <= limit) return false;
    }
    return true;
  }

  /** The same by the lines of a page's index. @param isWanted or their places alone. */
  appendLines(key: string, index: Buffer, isWanted: boolean): { readonly places: Places; readonly areAppended: boolean } {
    const { calls } = this.kernel;
    this.open(key);
    const lines = this.kernel.fill(this.lines, index);
    const said = calls.readLines(isWanted ? this.address : 0, this.known, lines, lines + index.length);
    assert(said !== NO_INDEX, 'an index has a line for each record, in their order');
    const first = calls.startOf(this.known);
    const places = new Places(Buffer.from(this.kernel.bytes().subarray(first, first + calls.lengthOf(this.known))));
    return { places, areAppended: isWanted && said === 0 };
  }

  private membersOf(names: readonly string[]): Address {
    const said = JSON.stringify(names);
    const known = this.members.get(said);
    if (known !== undefined) return known;
    const fields = names.map((name) => {
      const field = this.laid.root.memberNamed(name);
      assert(field, 'sightings have the fields that were captured');
      return field.address;
    });
    const address = this.kernel.keepNumbers(fields);
    this.members.set(said, address);
    return address;
  }

  /** Whether a key or version may stand as it is, surely. */
  protected override mayStand({ kind }: RecordField, value: ExactValue, timeForm: TimeForm): boolean {
    const text = value instanceof JsonNumber ? value.source : value;
    if (typeof text !== 'string') return false;
    if (kind === KIND.time) return parseInstant(text, timeForm) !== null;
    if (kind === KIND.version) return /^-?\d{1,18}$/.test(text);
    return value instanceof JsonNumber ? /^-?[1-9]\d*$/.test(text) : text !== '';
  }
}
