import type { Micros } from '../../../src/clock.ts';
import type { Catalogue, FullName } from './catalogue.ts';
import { SnowflakeError, unsupported } from './errors.ts';
import { expression } from './expressions.ts';
import { informationSchema } from './information-schema.ts';
import type { Bind, Scope } from './scope.ts';
import type { Session } from './session.ts';

/** Names as the session's current database and schema complete them. */
export class Resolver {
  readonly #session: Session;
  readonly #catalogue: Catalogue;

  constructor(session: Session, catalogue: Catalogue) {
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
  readonly now: Micros;
  readonly binds: ReadonlyMap<string, Bind>;
}

export function scopeOf({ session, catalogue, resolver, account, now, binds }: ScopeParts, tableSql: (name: FullName) => string): Scope {
  const facts: Readonly<Record<string, () => string | null>> = {
    CURRENT_SESSION: () => session.id,
    CURRENT_USER: () => session.user,
    CURRENT_ROLE: () => session.role,
    CURRENT_WAREHOUSE: () => session.warehouse,
    CURRENT_DATABASE: () => session.database,
    CURRENT_SCHEMA: () => session.schema,
    CURRENT_ACCOUNT: () => account,
    CURRENT_VERSION: () => '9.30.1',
    CURRENT_REGION: () => 'AWS_EU_CENTRAL_1',
    CURRENT_TRANSACTION: () => session.transaction?.id ?? null,
    LAST_QUERY_ID: () => session.lastQueryId,
  };
  return {
    expression,
    binds,
    now: () => now,
    fact: (name) => facts[name]?.(),
    parameter: (name) => session.parameter(name),
    table: (parts) => {
      if (parts.at(-2) === 'INFORMATION_SCHEMA')
        return informationSchema(catalogue, parts.at(-3) ?? session.database ?? '', parts.at(-1) ?? '');
      const name = resolver.object(parts);
      catalogue.relation(name);
      return tableSql(name);
    },
    tableFunction: (name) => {
      throw unsupported(`table function ${name}`);
    },
  };
}
