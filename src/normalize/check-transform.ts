import { isTidemarkError, TidemarkError } from '../errors.ts';
import { derivedSql } from '../schema/transform.ts';
import type { Transform } from '../stream.ts';
import type { Pool } from './pool.ts';

const NO_FIELDS = { version: 0, fields: [], overflow: [] };
const NOTHING_FIXED = { key: [], version: [] };

/** Has DuckDB read each expression, with nothing in its fields. @throws CONFIG for one that it cannot read, before anything is made of it. */
export async function checkTransform(pool: Pool, stream: string, transform: Transform | null | undefined): Promise<void> {
  for (const column of transform?.columns ?? []) {
    const struct = derivedSql({ version: 1, columns: [column] }, NO_FIELDS, NOTHING_FIXED);
    try {
      await pool.run({ kind: 'statements', run: [`SELECT ${struct}`], ask: {}, after: [] });
    } catch (cause) {
      if (!isTidemarkError(cause) || cause.transient) throw cause;
      throw new TidemarkError({
        code: 'CONFIG',
        message: `transform of ${stream}, column ${column.name}: ${cause.message}`,
        hint: 'Nothing was changed. Fields of the record stand in braces, as {payload.amount}, and are texts; the rest is DuckDB SQL.',
        cause,
      });
    }
  }
}
