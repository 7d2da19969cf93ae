import { TidemarkError } from './errors.ts';

/** The only place that quotes for DuckDB. Nothing else may build SQL from a value or a name. */

/**
 * A name as an SQL identifier.
 * @throws SCHEMA where no identifier can hold it: empty, with U+0000, or not well-formed Unicode.
 */
export function identifier(name: string): string {
  if (name === '' || name.includes('\0') || !name.isWellFormed()) {
    throw new TidemarkError({
      code: 'SCHEMA',
      message: `No column can be named ${JSON.stringify(name)}`,
      hint: 'Such a field belongs in _overflow.',
    });
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * A text as an SQL expression. U+0000 cannot stand in a statement (the parser ends there), so it is put together with chr(0).
 * @throws SCHEMA where the text is not well-formed Unicode.
 */
export function literal(text: string): string {
  if (!text.isWellFormed()) {
    throw new TidemarkError({
      code: 'SCHEMA',
      message: 'A text with a lone surrogate cannot be written as SQL',
      hint: 'Nothing was changed.',
    });
  }
  const parts = text.split('\0').map((part) => `'${part.replaceAll("'", "''")}'`);
  return parts.length === 1 ? (parts[0] ?? "''") : `(${parts.join(' || chr(0) || ')})`;
}

/** An SQL list of texts: `['a', 'b']`; typed, so that an empty one is a list of texts as well. */
export function literalList(texts: readonly string[]): string {
  return `CAST([${texts.map(literal).join(', ')}] AS VARCHAR[])`;
}
