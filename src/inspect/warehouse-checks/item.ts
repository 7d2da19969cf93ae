/**
 * What could not be tried against the real service, as data: `tidemark doctor --warehouse` runs it on an account, docs/SNOWFLAKE.md lists it.
 * Statements name a table of the staging schema, which is dropped afterwards, and a file that is put into the bucket and removed again.
 */
export interface Item {
  readonly name: string;
  readonly steps: readonly Step[];
  /** What the service must answer to the last step, in words. */
  readonly expected: string;
  /** Judges the answers, in the order of the steps. */
  readonly judge: (answers: readonly Answer[]) => boolean;
  /** What it means where the answer is another one. */
  readonly otherwise: string;
  /** What it means where a statement before the last one is refused; nothing, if left out, but that it could not be tried. */
  readonly refused?: string;
  /** Why an account may refuse a statement without anything being wrong: no such edition, no such right. Then it was not tried. */
  readonly optional?: string;
}

export interface Step {
  /** With {T} for the table, {U} for another one, {FILE} for the file, and {SCHEMA}, {READER}, … for names of the configuration. */
  readonly sql: string;
  /** The second of two sessions that work at once. */
  readonly second?: true;
  /** Sent once more under the same request id, as the driver does where an answer was lost. */
  readonly twice?: true;
  /** Waits for a lock of the other session: what it answers is taken when all other steps are done. */
  readonly waits?: true;
  /** Goes on where it fails: the failure is part of the answer. */
  readonly mayFail?: true;
}

export type Answer =
  | { readonly rows: readonly Readonly<Record<string, string | null>>[]; readonly number?: undefined }
  /** The service's number of the error. */
  | { readonly number: string; readonly message: string; readonly rows?: undefined };

/** The first column of the first row of the last step. */
export const lastValue = (answers: readonly Answer[]): string | null => Object.values(answers.at(-1)?.rows?.[0] ?? {})[0] ?? null;

export const says =
  (...values: readonly string[]) =>
  (answers: readonly Answer[]): boolean =>
    values.includes(lastValue(answers) ?? 'NULL');

export const failsWith =
  (...numbers: readonly string[]) =>
  (answers: readonly Answer[]): boolean =>
    numbers.includes(answers.at(-1)?.number ?? '');

export const step = (sql: string): Step => ({ sql });
export const mayFail = (sql: string): Step => ({ sql, mayFail: true });
export const second = (sql: string): Step => ({ sql, second: true });
export const secondMayFail = (sql: string): Step => ({ sql, second: true, mayFail: true });
export const secondWaits = (sql: string): Step => ({ sql, second: true, waits: true, mayFail: true });
export const sentTwice = (sql: string): Step => ({ sql, twice: true });
