import { noSuchObject, SnowflakeError, timedOut } from './errors.ts';
import { shownName } from './names.ts';
import { options } from './options.ts';
import { type Context, type Plan, TYPE_ID } from './plan.ts';
import { type RowSet, statusRow, textRows } from './rowset.ts';

const done = async (): Promise<ReturnType<typeof statusRow>> => statusRow('Statement executed successfully.');

export function planAlterSession({ cursor, session }: Context): Plan {
  cursor.expect('ALTER', 'SESSION');
  if (cursor.takes('UNSET')) {
    const names = [cursor.identifier()];
    while (cursor.takes(',')) names.push(cursor.identifier());
    cursor.expectEnd();
    return { typeId: TYPE_ID.session, run: () => (names.forEach((name) => session.unsetParameter(name)), done()) };
  }
  cursor.expect('SET');
  const set = options(cursor);
  cursor.expectEnd();
  const run = (): ReturnType<typeof done> => {
    for (const [name, value] of set) session.setParameter(name, value);
    return done();
  };
  return { typeId: TYPE_ID.session, run };
}

export function planUse({
  cursor,
  session,
  catalogue,
  resolveSchema,
}: Context & { resolveSchema: (parts: readonly string[]) => [string, string] }): Plan {
  cursor.expect('USE');
  const kind = cursor.takesOneOf('ROLE', 'WAREHOUSE', 'DATABASE', 'SCHEMA') ?? 'DATABASE';
  if (kind === 'ROLE' && cursor.sees('ROLES')) throw cursor.unsupported();
  const parts = cursor.qualifiedName();
  cursor.expectEnd();
  const name = parts.at(-1) ?? '';
  const run = (): ReturnType<typeof done> => {
    if (kind === 'ROLE') {
      catalogue.assertRole(name);
      if (!catalogue.hasRole(session.user, name)) {
        throw new SnowflakeError(
          '003013',
          '42501',
          `Requested role '${shownName(name)}' is not assigned to the executing user. Specify another role to activate.`,
        );
      }
      session.role = name;
    } else if (kind === 'WAREHOUSE') {
      if (!catalogue.warehouses.has(name)) throw noSuchObject('Warehouse', shownName(name));
      session.warehouse = name;
    } else if (kind === 'DATABASE') {
      if (!catalogue.databases.has(name)) throw noSuchObject('Database', shownName(name));
      session.database = name;
      session.schema = catalogue.databases.get(name)?.has('PUBLIC') ? 'PUBLIC' : null;
    } else [session.database, session.schema] = resolveSchema(parts);
    return done();
  };
  return { typeId: TYPE_ID.session, run };
}

/** BEGIN within a transaction, and COMMIT or ROLLBACK without one, do nothing. */
export function planTransaction({ cursor, session, engine, locks, scope }: Context): Plan {
  const verb = cursor.takesOneOf('BEGIN', 'START', 'COMMIT', 'ROLLBACK');
  cursor.takesOneOf('TRANSACTION', 'WORK');
  if (cursor.takes('NAME')) cursor.identifier();
  cursor.expectEnd();
  const run = async (): ReturnType<typeof done> => {
    if (verb === 'BEGIN' || verb === 'START') engine.begin(session, String(scope.now()));
    else {
      await (verb === 'COMMIT' ? engine.commit(session) : engine.rollback(session));
      locks.release(session);
    }
    return done();
  };
  return { typeId: TYPE_ID.transaction, run };
}

/** `CALL SYSTEM$WAIT(seconds)`: nobody waits here; it fails where the time for statements would be over. */
export function planCall({ cursor, session }: Context): Plan {
  cursor.expect('CALL', 'SYSTEM$WAIT', '(');
  const seconds = cursor.number();
  cursor.expect(')');
  cursor.expectEnd();
  const limit = Number(session.parameter('STATEMENT_TIMEOUT_IN_SECONDS'));
  const run = async (): Promise<RowSet> => {
    if (seconds > limit) throw timedOut(limit);
    return textRows(['SYSTEM$WAIT'], [[`waited ${seconds} seconds`]]);
  };
  return { typeId: TYPE_ID.select, run };
}
