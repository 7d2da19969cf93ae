import { Cursor } from './cursor.ts';
import { SnowflakeError } from './errors.ts';
import type { Context } from './plan.ts';

/** `SELECT item, … FROM @stage/path` within a COPY: the items as text, since what `$1:"name"` is depends on each file. */
export class StagedText {
  readonly items: readonly string[];
  readonly stage: readonly string[];
  readonly path: string;

  private constructor(items: readonly string[], stage: readonly string[], path: string) {
    this.items = items;
    this.stage = stage;
    this.path = path;
  }

  static parse({ cursor }: Context): StagedText {
    cursor.expect('SELECT');
    const items: string[] = [];
    do items.push(item(cursor));
    while (cursor.takes(','));
    cursor.expect('FROM');
    const token = cursor.next();
    if (token.kind !== 'stage') throw cursor.unexpected();
    const match = /^((?:"(?:[^"]|"")*"|[^"/])+)(?:\/(.*))?$/s.exec(token.value);
    if (!cursor.sees(')')) {
      throw new SnowflakeError(
        '001757',
        '42601',
        'SQL compilation error:\nCOPY statement only supports simple SELECT from stage statements for import.',
      );
    }
    return new StagedText(items, new Cursor(match?.[1] ?? '').qualifiedName(), match?.[2] ?? '');
  }
}

function item(cursor: Cursor): string {
  const from = cursor.position;
  for (let depth = 0; depth > 0 || !(cursor.sees(',') || cursor.sees('FROM')); cursor.next()) {
    if (cursor.isAtEnd) throw cursor.unexpected();
    if (cursor.sees('(')) depth += 1;
    if (cursor.sees(')')) depth -= 1;
  }
  return cursor.textFrom(from);
}
