/**
 * Names of the service differ by case, names of DuckDB do not. So each name is written in capitals, with a mark before what is a small
 * letter: AMOUNT stays AMOUNT, "amount" becomes ^A^M^O^U^N^T, and the two are two.
 */
export const encoded = (name: string): string =>
  name === 'ROWID' ? ROWID : name.replaceAll(/[a-z^]/g, (letter) => `^${letter.toUpperCase()}`);

export const decoded = (name: string): string =>
  name === ROWID ? 'ROWID' : name.replaceAll(/\^(.)/g, (_, letter: string) => letter.toLowerCase());

/** A column of that name would hide DuckDB's own, which tells rows apart. */
const ROWID = '^0ROWID';

/** A name of the service as DuckDB's SQL. */
export const sqlName = (name: string): string => exactName(encoded(name));

/** A name that DuckDB knows as it is, such as a column of a Parquet file. */
export const exactName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const sqlString = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** As the service shows it: in quotes only where it must be. */
export const shownName = (name: string): string => (/^[A-Z_][A-Z0-9_$]*$/.test(name) ? name : exactName(name));
