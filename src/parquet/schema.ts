import type { ParquetType, SchemaElement } from 'hyparquet';

/** The schema of a file: its elements, depth first, and of them the leaves, which are its columns. */
export interface ParquetSchema {
  readonly elements: readonly SchemaElement[];
  readonly leaves: readonly Leaf[];
}

export interface Leaf {
  readonly path: readonly string[];
  readonly type: ParquetType;
}

/** What a column holds, in the terms of the engines. */
export type ParquetField =
  | { readonly kind: 'text' | 'long' | 'int' | 'boolean' | 'instant' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'list'; readonly element: ParquetField }
  | { readonly kind: 'struct'; readonly members: readonly NamedField[] }
  /** Of texts by text. */
  | { readonly kind: 'map' };

export interface NamedField {
  readonly name: string;
  readonly of: ParquetField;
}

/** Every column may be null. Named as DuckDB's writer does, and as the format recommends. */
export function parquetSchema(columns: readonly NamedField[]): ParquetSchema {
  const elements: SchemaElement[] = [{ name: 'schema', repetition_type: 'REQUIRED', num_children: columns.length }];
  const leaves: Leaf[] = [];
  for (const column of columns) addField(column, []);
  return { elements, leaves };

  function addField({ name, of }: NamedField, above: readonly string[]): void {
    const path = [...above, name];
    const group = (children: number, more: Partial<SchemaElement> = {}): void => {
      elements.push({ name, repetition_type: 'OPTIONAL', num_children: children, ...more });
    };
    switch (of.kind) {
      case 'struct':
        group(of.members.length);
        for (const member of of.members) addField(member, path);
        return;
      case 'list':
        group(1, { converted_type: 'LIST', logical_type: { type: 'LIST' } });
        elements.push({ name: 'list', repetition_type: 'REPEATED', num_children: 1 });
        addField({ name: 'element', of: of.element }, [...path, 'list']);
        return;
      case 'map':
        group(1, { converted_type: 'MAP', logical_type: { type: 'MAP' } });
        elements.push({ name: 'key_value', repetition_type: 'REPEATED', num_children: 2 });
        addLeaf('key', [...path, 'key_value', 'key'], { kind: 'text' }, 'REQUIRED');
        addLeaf('value', [...path, 'key_value', 'value'], { kind: 'text' }, 'OPTIONAL');
        return;
      case 'text':
      case 'long':
      case 'int':
      case 'boolean':
      case 'instant':
      case 'decimal':
        addLeaf(name, path, of, 'OPTIONAL');
    }
  }

  function addLeaf(name: string, path: readonly string[], of: LeafField, repetition: 'REQUIRED' | 'OPTIONAL'): void {
    const element = { ...physical(of), name, repetition_type: repetition };
    elements.push(element);
    leaves.push({ path, type: element.type });
  }
}

type LeafField = Exclude<ParquetField, { readonly kind: 'struct' | 'list' | 'map' }>;

function physical(of: LeafField): Omit<SchemaElement, 'name'> & { readonly type: ParquetType } {
  switch (of.kind) {
    case 'text':
      return { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };
    case 'long':
      return { type: 'INT64', converted_type: 'INT_64' };
    case 'int':
      return { type: 'INT32', converted_type: 'INT_32' };
    case 'boolean':
      return { type: 'BOOLEAN' };
    case 'instant':
      return {
        type: 'INT64',
        converted_type: 'TIMESTAMP_MICROS',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      };
    case 'decimal':
      return {
        ...(of.precision <= LONG_DIGITS ? { type: 'INT64' as const } : { type: 'FIXED_LEN_BYTE_ARRAY' as const, type_length: 16 }),
        converted_type: 'DECIMAL',
        scale: of.scale,
        precision: of.precision,
        logical_type: { type: 'DECIMAL', scale: of.scale, precision: of.precision },
      };
  }
}

/** Decimal digits that 64 bits hold. */
const LONG_DIGITS = 18;
