import type { Cursor } from './cursor.ts';

/** `NAME = value` pairs: texts, numbers, words, names, and lists or nested options in brackets as their text. */
export function options(cursor: Cursor): Map<string, string> {
  const found = new Map<string, string>();
  for (;;) {
    cursor.takes(',');
    if (cursor.peek().kind !== 'word' || cursor.peek(1).value !== '=') return found;
    const name = cursor.identifier();
    cursor.expect('=');
    found.set(name, optionValue(cursor));
  }
}

function optionValue(cursor: Cursor): string {
  if (!cursor.sees('(')) {
    const minus = cursor.takes('-') ? '-' : '';
    const parts = [minus + cursor.next().value];
    while (cursor.takes('.')) parts.push(cursor.identifier());
    return parts.join('.');
  }
  const from = cursor.position;
  let depth = 0;
  do {
    if (cursor.isAtEnd) throw cursor.unexpected();
    if (cursor.sees('(')) depth += 1;
    if (cursor.sees(')')) depth -= 1;
    cursor.next();
  } while (depth > 0);
  return cursor.textFrom(from);
}

/** `(TYPE = PARQUET NULL_IF = ())` */
export function nestedOptions(cursor: Cursor): Map<string, string> {
  cursor.expect('(');
  const found = options(cursor);
  cursor.expect(')');
  return found;
}
