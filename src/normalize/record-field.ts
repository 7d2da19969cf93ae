import type { Address, Kernel } from '../kernel.ts';
import { Column, type Depth } from '../parquet/column.ts';
import type { NamedField, ParquetField } from '../parquet/schema.ts';
import { knownMembers } from '../schema/duckdb-types.ts';
import type { ColumnType } from '../schema/types.ts';

/** How the values at a path of the records become those of columns. The kernel (kernel/reader.ts) knows them by these numbers. */
export const KIND = {
  boolean: 0,
  /** An integer, or a decimal. */
  number: 1,
  numberText: 2,
  text: 3,
  list: 4,
  struct: 5,
  json: 6,
  /** Nothing but nulls and hollow objects. */
  hollow: 7,
  /** A text or a whole number, kept as a text: of a key, or of a version for a transform. */
  scalar: 8,
  /** A version's integer. */
  version: 9,
  /** A version's time. */
  time: 10,
  /** Kept in the overflow. */
  overflow: 11,
} as const;
type Kind = (typeof KIND)[keyof typeof KIND];

interface Below {
  readonly scale?: number;
  readonly column?: Column;
  readonly element?: RecordField;
  readonly members?: readonly RecordField[];
}

/** A path of the records, and the columns that its values go to. */
export class RecordField {
  readonly name: string;
  readonly kind: Kind;
  readonly address: Address;
  /** Level of an entry whose value is there. */
  readonly definition: number;
  /** Level of a list's elements after the first. */
  readonly repetition: number;
  /** Digits after the point. */
  readonly scale: number;
  /** Null where there are several, or none. */
  readonly column: Column | null;
  /** All columns at this path and below it. */
  readonly leaves: readonly Column[];
  readonly element: RecordField | null;
  readonly members: readonly RecordField[];
  /** Another field that the same value goes to. */
  also: RecordField | null = null;
  private readonly byName: Map<string, RecordField>;

  /** @param depth where its values are there. */
  constructor(fields: RecordFields, name: string, kind: Kind, depth: Depth, below: Below = {}) {
    this.name = name;
    this.kind = kind;
    this.definition = depth.definition;
    this.repetition = depth.repetition;
    this.scale = below.scale ?? 0;
    this.column = below.column ?? null;
    this.element = below.element ?? null;
    this.members = below.members ?? [];
    this.leaves = leavesOf(this);
    this.byName = new Map(this.members.map((member) => [member.name, member]));
    this.address = fields.add(this);
  }

  /** Has the same value go to another field, too. */
  beside({ kernel }: RecordFields, also: RecordField): void {
    this.also = also;
    kernel.calls.setAlso(this.address, also.address);
  }

  memberNamed(name: string): RecordField | undefined {
    return this.byName.get(name);
  }
}

function leavesOf({ column, element, members }: RecordField): readonly Column[] {
  if (column) return [column];
  return element ? element.leaves : members.flatMap((member) => member.leaves);
}

/** Where a column's values are there, from where those above it are. */
export const within = ({ definition, repetition }: Depth): Depth => ({ definition: definition + 1, repetition });

const NOWHERE: Depth = { definition: 0, repetition: 0 };

/** The fields of one kernel, by the numbers that it tells them by. */
export class RecordFields {
  readonly kernel: Kernel;
  private readonly all: RecordField[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Makes a field known to the kernel. */
  add(field: RecordField): Address {
    const { calls } = this.kernel;
    const { kind, definition, repetition, scale, column, leaves, members, element } = field;
    const address = calls.createField(this.all.length, kind, definition, repetition, scale, column?.address ?? 0);
    this.all.push(field);
    const addresses = (of: readonly { readonly address: Address }[]): Address => this.kernel.keepNumbers(of.map((one) => one.address));
    calls.setLeaves(address, addresses(leaves), leaves.length);
    calls.setMembers(address, addresses(members), members.length);
    if (element) calls.setElement(address, element.address);
    const pattern = patternOf(field.name);
    if (pattern) calls.setPattern(address, this.kernel.keep(pattern), pattern.length);
    return address;
  }

  /** @param number that the kernel tells the field by. */
  field(number: number): RecordField {
    return this.all[number] as RecordField;
  }

  /** The member of a name that an object has for the first time; one that no column is for has never a value. */
  meet(parent: RecordField, name: string): RecordField {
    const member = parent.memberNamed(name) ?? new RecordField(this, name, KIND.hollow, NOWHERE);
    this.kernel.calls.meetMember(parent.address, member.address);
    return member;
  }

  /** @param above where the object or list that it is in is there. */
  of(name: string, type: ColumnType, above: Depth): RecordField {
    const depth = within(above);
    switch (type.kind) {
      case 'boolean':
        return this.leaf(name, KIND.boolean, depth, new Column(this.kernel, 'boolean', depth));
      case 'integer':
        return this.leaf(name, KIND.number, depth, new Column(this.kernel, 'long', depth));
      case 'decimal': {
        const column = new Column(this.kernel, type.precision <= LONG_DIGITS ? 'long' : 'wide', depth);
        return new RecordField(this, name, KIND.number, depth, { column, scale: type.scale });
      }
      case 'list': {
        const repetition = depth.repetition + 1;
        const element = this.of('element', type.element, { definition: depth.definition + 1, repetition });
        return new RecordField(this, name, KIND.list, { ...depth, repetition }, { element });
      }
      case 'struct': {
        const members = knownMembers(type.members).map((member) => this.of(member.name, member.type, depth));
        return new RecordField(this, name, KIND.struct, depth, { members });
      }
      case 'unknown':
      case 'number-text':
      case 'text':
      case 'json':
        return this.leaf(name, TEXTS[type.kind], depth, new Column(this.kernel, 'text', depth));
    }
  }

  leaf(name: string, kind: Kind, depth: Depth, column: Column): RecordField {
    return new RecordField(this, name, kind, depth, { column });
  }
}

const TEXTS = { unknown: KIND.hollow, 'number-text': KIND.numberText, text: KIND.text, json: KIND.json } as const;
/** Decimal digits that 64 bits hold. */
const LONG_DIGITS = 18;

/** A name as it mostly stands in a record; null where it must be escaped, or no UTF-8 text can hold it. */
function patternOf(name: string): Buffer | null {
  return JSON.stringify(name) === `"${name}"` ? Buffer.from(`"${name}":`) : null;
}

/** The same in the file's schema. */
export function parquetField(name: string, type: ColumnType): NamedField {
  return { name, of: parquetType(type) };
}

function parquetType(type: ColumnType): ParquetField {
  switch (type.kind) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'integer':
      return { kind: 'long' };
    case 'decimal':
      return { kind: 'decimal', precision: type.precision, scale: type.scale };
    case 'list':
      return { kind: 'list', element: parquetType(type.element) };
    case 'struct':
      return { kind: 'struct', members: knownMembers(type.members).map((member) => parquetField(member.name, member.type)) };
    case 'unknown':
    case 'number-text':
    case 'text':
    case 'json':
      return { kind: 'text' };
  }
}
