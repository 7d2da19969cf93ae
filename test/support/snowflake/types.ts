import type { Cursor } from './cursor.ts';
import { SnowflakeError } from './errors.ts';

export type TypeName = 'FIXED' | 'REAL' | 'TEXT' | 'BOOLEAN' | 'DATE' | 'TIMESTAMP_LTZ' | 'TIMESTAMP_NTZ' | 'VARIANT' | 'OBJECT' | 'ARRAY';

/** precision, scale: of FIXED, the scale also of timestamps; length: of TEXT, in characters. */
export interface SnowflakeType {
  readonly name: TypeName;
  readonly precision?: number;
  readonly scale?: number;
  readonly length?: number;
}

export const MAX_LENGTH = 16_777_216;
const INTEGER: SnowflakeType = { name: 'FIXED', precision: 38, scale: 0 };
const REAL: SnowflakeType = { name: 'REAL' };

const SIMPLE: Readonly<Record<string, SnowflakeType>> = {
  INT: INTEGER,
  INTEGER,
  BIGINT: INTEGER,
  SMALLINT: INTEGER,
  TINYINT: INTEGER,
  BYTEINT: INTEGER,
  FLOAT: REAL,
  FLOAT8: REAL,
  DOUBLE: REAL,
  REAL,
  BOOLEAN: { name: 'BOOLEAN' },
  DATE: { name: 'DATE' },
  VARIANT: { name: 'VARIANT' },
  OBJECT: { name: 'OBJECT' },
  ARRAY: { name: 'ARRAY' },
};

/** Reads `NUMBER(38, 2)`, `VARCHAR`, `TIMESTAMP_LTZ(6)`, … @throws the service's error for a type that there is not. */
export function parseType(cursor: Cursor): SnowflakeType {
  const word = cursor.identifier();
  const simple = SIMPLE[word];
  if (simple) {
    if (word === 'DOUBLE') cursor.takes('PRECISION');
    return simple;
  }
  const numbers = cursor.sees('(') ? cursor.list(() => cursor.number()) : [];
  switch (word) {
    case 'NUMBER':
    case 'NUMERIC':
    case 'DECIMAL':
      return fixed(numbers[0] ?? 38, numbers[1] ?? 0);
    case 'VARCHAR':
    case 'STRING':
    case 'TEXT':
      return { name: 'TEXT', length: numbers[0] ?? MAX_LENGTH };
    case 'TIMESTAMP_LTZ':
      return { name: 'TIMESTAMP_LTZ', scale: numbers[0] ?? 9 };
    case 'TIMESTAMP':
    case 'DATETIME':
    case 'TIMESTAMP_NTZ':
      return { name: 'TIMESTAMP_NTZ', scale: numbers[0] ?? 9 };
    default:
      throw new SnowflakeError('002040', '42601', `SQL compilation error:\nUnsupported data type '${word}'.`);
  }
}

function fixed(precision: number, scale: number): SnowflakeType {
  if (precision < 1 || precision > 38 || scale < 0 || scale > 37) {
    throw new SnowflakeError('002110', '22000', `SQL compilation error:\nInvalid NUMBER precision or scale '${precision}, ${scale}'.`);
  }
  return { name: 'FIXED', precision, scale };
}

/** Instants are kept to the microsecond: a scale above 6 is stated, and not kept. Lengths are stated, and not enforced. */
export function duckType(type: SnowflakeType): string {
  switch (type.name) {
    case 'FIXED':
      return `DECIMAL(${type.precision},${type.scale})`;
    case 'REAL':
      return 'DOUBLE';
    case 'TEXT':
      return 'VARCHAR';
    case 'TIMESTAMP_LTZ':
      return 'TIMESTAMPTZ';
    case 'TIMESTAMP_NTZ':
      return 'TIMESTAMP';
    case 'VARIANT':
    case 'OBJECT':
    case 'ARRAY':
      return 'JSON';
    case 'BOOLEAN':
    case 'DATE':
      return type.name;
  }
}

/** As SHOW COLUMNS and errors write it. */
export function shownType(type: SnowflakeType): string {
  switch (type.name) {
    case 'FIXED':
      return `NUMBER(${type.precision},${type.scale})`;
    case 'REAL':
      return 'FLOAT';
    case 'TEXT':
      return `VARCHAR(${type.length})`;
    case 'TIMESTAMP_LTZ':
    case 'TIMESTAMP_NTZ':
      return `${type.name}(${type.scale})`;
    case 'BOOLEAN':
    case 'DATE':
    case 'VARIANT':
    case 'OBJECT':
    case 'ARRAY':
      return type.name;
  }
}

/**
 * What ALTER COLUMN SET DATA TYPE may do in place: more digits at the same scale, a longer text. (Fewer digits and shorter texts are
 * possible on the service where no row is in the way; this server refuses them.)
 */
export function canAlter(from: SnowflakeType, to: SnowflakeType): boolean {
  if (from.name !== to.name) return false;
  if (from.name === 'FIXED') return from.scale === to.scale && (to.precision ?? 0) >= (from.precision ?? 0);
  if (from.name === 'TEXT') return (to.length ?? 0) >= (from.length ?? 0);
  return from.scale === to.scale;
}
