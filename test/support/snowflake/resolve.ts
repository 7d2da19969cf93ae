import type { Micros } from '../../../src/clock.ts';
import type { Catalogue, FullName } from './catalogue.ts';
import { Cursor } from './cursor.ts';
import { SnowflakeError, unsupported } from './errors.ts';
import { expression } from './expressions.ts';
import { type HistoryEntry, informationSchema, queryHistory } from './information-schema.ts';
import { sqlName } from './names.ts';
import { governedRows } from './policies.ts';
import type { Bind, Scope } from './scope.ts';
import { query } from './select.ts';
import type { Session } from './session.ts';

/** Names as the session's current database and schema complete them. */
export class Resolver {
  readonly #session: Pick<Session, 'database' | 'schema'>;
  readonly #catalogue: Catalogue;

  constructor(session: Pick<Session, 'database' | 'schema'>, catalogue: Catalogue) {
    this.#session = session;
    this.#catalogue = catalogue;
  }

  object(parts: readonly string[]): FullName {
    const [name = '', schema, database] = parts.toReversed();
    return [database ?? this.#database(), schema ?? this.#schema(), name];
  }

  schema(parts: readonly string[]): [string, string] {
    const [schema = '', database] = parts.toReversed();
    return [database ?? this.#database(), schema];
  }

  #database(): string {
    const { database } = this.#session;
    if (database === null) throw noCurrent('090105', 'database', 'USE DATABASE');
    return database;
  }

  #schema(): string {
    const { schema, database } = this.#session;
    if (schema === null || !this.#catalogue.databases.get(database ?? '')?.has(schema)) throw noCurrent('090106', 'schema', 'USE SCHEMA');
    return schema;
  }
}

const noCurrent = (code: string, what: string, how: string): SnowflakeError =>
  new SnowflakeError(
    code,
    '22000',
    `Cannot perform operation. This session does not have a current ${what}. Call '${how}', or use a qualified name.`,
  );

export interface ScopeParts {
  readonly session: Session;
  readonly catalogue: Catalogue;
  readonly resolver: Resolver;
  readonly account: string;
  /** Statements of all sessions, in order. */
  readonly history: readonly HistoryEntry[];
  /** Instead of the session's. */
  readonly role?: string;
  readonly now: Micros;
  readonly binds: ReadonlyMap<string, Bind>;
}

export function scopeOf(parts: ScopeParts, tableSql: (name: FullName) => string): Scope {
  const { session, catalogue, resolver, account, now, binds } = parts;
  const plainTable = (names: readonly string[]): string => {
    if (names.at(-2) === 'INFORMATION_SCHEMA')
      return informationSchema(catalogue, names.at(-3) ?? session.database ?? '', names.at(-1) ?? '');
    const name = resolver.object(names);
    catalogue.relation(name);
    return tableSql(name);
  };
  /** A view shows what its reader may see of its tables: its query is put in its place. */
  const governed = (names: readonly string[]): string => {
    const plain = plainTable(names);
    if (names.at(-2) === 'INFORMATION_SCHEMA') return plain;
    const name = resolver.object(names);
    const relation = catalogue.relation(name);
    if (relation.kind === 'TABLE') return governedRows(catalogue, name, relation, scope, plain) ?? plain;
    const within = scopeOf({ ...parts, resolver: new Resolver({ database: name[0], schema: name[1] }, catalogue) }, tableSql);
    const columns = relation.columns.map((column) => sqlName(column.name)).join(', ');
    return `(SELECT * FROM (${query(new Cursor(relation.text), within)}) AS V (${columns}))`;
  };
  const facts: Readonly<Record<string, () => string | null>> = {
    CURRENT_SESSION: () => session.id,
    CURRENT_USER: () => session.user,
    CURRENT_ROLE: () => parts.role ?? session.role,
    CURRENT_WAREHOUSE: () => session.warehouse,
    CURRENT_DATABASE: () => session.database,
    CURRENT_SCHEMA: () => session.schema,
    CURRENT_ACCOUNT: () => account,
    CURRENT_VERSION: () => '9.30.1',
    CURRENT_REGION: () => 'AWS_EU_CENTRAL_1',
    CURRENT_TRANSACTION: () => session.transaction?.id ?? null,
    LAST_QUERY_ID: () => session.lastQueryId,
  };
  const scope: Scope = {
    expression,
    binds,
    now: () => now,
    fact: (name) => facts[name]?.(),
    parameter: (name) => session.parameter(name),
    hasRole: (role) => catalogue.hasRole(parts.role ?? session.role, role),
    plainTable,
    table: (names) => ((session.isExempt && parts.role === undefined) || !catalogue.isGoverned ? plainTable(names) : governed(names)),
    tableFunction: (name, args) => {
      if (!name.endsWith('INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION')) throw unsupported(`table function ${name}`);
      const limit = args.find((argument) => argument.startsWith('RESULT_LIMIT='));
      return queryHistory(parts.history, session.id, Number(limit?.slice('RESULT_LIMIT='.length) ?? 100));
    },
  };
  return scope;
}
