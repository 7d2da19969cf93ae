import type { Stream } from '../stream.ts';

/** Top-level fields of a record that are read before the record itself is: they tell what it is, how new, and whether it may enter. */
export interface ReadFields {
  readonly keys: readonly string[];
  readonly versions: readonly string[];
  /** Fields with a rule. */
  readonly ruled: readonly string[];
}

export function readFields({ key, version }: Pick<Stream, 'key' | 'version'>, ruled: readonly string[]): ReadFields {
  return { keys: keyFields({ key }), versions: version.map((column) => column.name), ruled: [...new Set(ruled)] };
}

export const streamFields = (stream: Stream): ReadFields =>
  readFields(
    stream,
    stream.quality.rows.map((rule) => rule.field),
  );

/** Key columns that records give; the others have the configured value. */
export const keyFields = ({ key }: Pick<Stream, 'key'>): readonly string[] =>
  key.filter((column) => column.constant === null).map((column) => column.name);

/** Each name once. */
export const fieldNames = ({ keys, versions, ruled }: ReadFields): readonly string[] => [...new Set([...keys, ...versions, ...ruled])];
