import type { SchemaChange } from '../schema/diff.ts';

/** `+` for a field that is new, `~` for one that has another type. */
export const changeLine = ({ path, from, to }: SchemaChange): string =>
  from === null ? `  + ${path}  ${to}` : `  ~ ${path}  ${from} → ${to}`;
