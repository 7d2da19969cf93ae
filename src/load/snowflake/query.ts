import { TidemarkError } from '../../errors.ts';
import type { ColumnInfo, SnowflakeRow, SnowflakeSession } from './session.ts';

/** One statement that somebody asks, and its answer in values of JavaScript. */

/** What only reads. A WITH before anything else than a SELECT is unknown to Snowflake. */
const READING = /^(?:SELECT|WITH|VALUES|SHOW|DESC|DESCRIBE|EXPLAIN)\b/i;

/** Blanks and comments before the first word. */
const LEADING = /^(?:\s+|--[^\n]*(?:\n|$)|\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|\()+/;

/** @throws WAREHOUSE where the statement might change something. */
export async function queryRows(session: SnowflakeSession, statement: string): Promise<readonly Record<string, unknown>[]> {
  if (!READING.test(statement.replace(LEADING, ''))) {
    throw new TidemarkError({
      code: 'WAREHOUSE',
      message: 'Queries are read-only: this statement is none that only reads',
      hint: 'Nothing was changed. Begin with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN.',
    });
  }
  const { columns, rows } = await session.table(statement);
  return rows.map((row) => Object.fromEntries(columns.map((column) => [spoken(column.name), valueOf(column, row)])));
}

/** Names that were written without quotes come back as most people write them. */
const spoken = (name: string): string => (/^[A-Z_][A-Z0-9_$]*$/.test(name) ? name.toLowerCase() : name);

function valueOf({ name, type, scale }: ColumnInfo, row: SnowflakeRow): unknown {
  const text = row[name] ?? null;
  if (text === null) return null;
  if (type === 'boolean') return text.toLowerCase() === 'true';
  if (type === 'real') return Number(text);
  if (type !== 'fixed' || scale > 0) return text;
  const whole = Number(text);
  return Number.isSafeInteger(whole) ? whole : BigInt(text);
}
