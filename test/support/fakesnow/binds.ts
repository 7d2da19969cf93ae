import { tokensOf } from '../snowflake/lexer.ts';
import type { Bind } from '../snowflake/scope.ts';

/** fakesnow loses binds of a MERGE's source: they are written into the statement, in the place of each `?`. */
export function bound(sql: string, binds: Readonly<Record<string, Bind>>): string {
  let at = 0;
  let count = 0;
  let text = '';
  for (const token of tokensOf(sql)) {
    if (token.kind !== 'mark' || token.value !== '?') continue;
    count += 1;
    text += sql.slice(at, token.start) + literal(binds[String(count)]);
    at = token.end;
  }
  return text + sql.slice(at);
}

function literal(bind: Bind | undefined): string {
  if (bind === undefined || bind.value === null) return 'NULL';
  if (bind.type !== 'TEXT') return bind.value;
  return `'${bind.value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
