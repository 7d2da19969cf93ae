import type { Micros } from '../../../src/clock.ts';
import { alreadyExists, noSuchObject, SnowflakeError } from './errors.ts';
import { shownName } from './names.ts';
import type { SnowflakeType } from './types.ts';

export interface Column {
  readonly name: string;
  type: SnowflakeType;
  nullable: boolean;
  comment: string | null;
  /** Values by the tag's full name. */
  readonly tags: Map<string, string>;
  maskingPolicy: string | null;
}

export interface Table {
  readonly kind: 'TABLE';
  readonly name: string;
  columns: Column[];
  readonly isTransient: boolean;
  clusterBy: string | null;
  comment: string | null;
  readonly createdAt: Micros;
  rowAccess: { readonly policy: string; readonly columns: readonly string[] } | null;
  /** COPY's load history: what was loaded by name, its hash, and when. It goes with the table. */
  readonly loads: Map<string, { readonly hash: string; readonly at: Micros }>;
}

export interface View {
  readonly kind: 'VIEW';
  readonly name: string;
  readonly columns: Column[];
  readonly text: string;
  comment: string | null;
  readonly createdAt: Micros;
}

/** Stages, file formats, tags, policies, and what else is only remembered: the statement's options by name. */
export interface OtherObject {
  readonly kind: 'STAGE' | 'FILE FORMAT' | 'TAG' | 'MASKING POLICY' | 'ROW ACCESS POLICY' | 'TASK';
  readonly name: string;
  readonly options: Map<string, string>;
  readonly text: string;
}

export interface Schema {
  readonly name: string;
  readonly isTransient: boolean;
  comment: string | null;
  readonly relations: Map<string, Table | View>;
  readonly others: Map<string, OtherObject>;
}

export interface Grant {
  readonly privilege: string;
  /** `TABLE`, `FUTURE TABLES`, `ROLE`, … */
  readonly on: string;
  readonly name: string;
  readonly grantee: string;
  readonly granteeKind: 'ROLE' | 'USER';
}

export type FullName = readonly [database: string, schema: string, name: string];

/** Roles that roles, and the administrator, have from the start. */
const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  ADMINISTRATOR: ['ACCOUNTADMIN'],
  ACCOUNTADMIN: ['SYSADMIN', 'SECURITYADMIN'],
  SECURITYADMIN: ['USERADMIN'],
};

/** What exists, beside the rows. A DDL commits, so nothing here is ever rolled back. */
export class Catalogue {
  readonly databases = new Map<string, Map<string, Schema>>();
  readonly roles = new Set<string>(['ACCOUNTADMIN', 'SECURITYADMIN', 'SYSADMIN', 'USERADMIN', 'PUBLIC']);
  readonly warehouses = new Map<string, { suspended: boolean }>();
  /** Integrations, users, resource monitors, network policies: their options by `KIND NAME`. */
  readonly accountObjects = new Map<string, Map<string, string>>();
  /** Masking policies by the full name of the tag that carries them. */
  readonly tagPolicies = new Map<string, readonly string[]>();
  readonly grants: Grant[] = [];

  schema(database: string, schema: string): Schema {
    const schemas = this.databases.get(database);
    if (!schemas) throw noSuchObject('Database', shownName(database));
    const found = schemas.get(schema);
    if (!found) throw noSuchObject('Schema', `${shownName(database)}.${shownName(schema)}`);
    return found;
  }

  find([database, schema, name]: FullName): Table | View | undefined {
    return this.databases.get(database)?.get(schema)?.relations.get(name);
  }

  relation(name: FullName): Table | View {
    const found = this.find(name);
    if (!found) throw noSuchObject('Object', shown(name));
    return found;
  }

  table(name: FullName): Table {
    const found = this.relation(name);
    if (found.kind !== 'TABLE')
      throw new SnowflakeError('002203', '42601', `SQL compilation error:\nObject '${shown(name)}' is not a table.`);
    return found;
  }

  column(name: FullName, column: string): Column {
    const found = this.relation(name).columns.find((candidate) => candidate.name === column);
    if (!found)
      throw new SnowflakeError(
        '000904',
        '42000',
        `SQL compilation error: error line 1 at position 0\ninvalid identifier '${shownName(column)}'`,
      );
    return found;
  }

  add([database, schema, name]: FullName, object: Table | View): void {
    this.schema(database, schema).relations.set(name, object);
  }

  other([database, schema, name]: FullName, kind: OtherObject['kind']): OtherObject {
    const found = this.schema(database, schema).others.get(`${kind} ${name}`);
    if (!found) throw noSuchObject(kind === 'STAGE' ? 'Stage' : kind, shown([database, schema, name]));
    return found;
  }

  /** Whether any policy may hold something back. */
  get isGoverned(): boolean {
    const relations = [...this.databases.values()].flatMap((schemas) =>
      [...schemas.values()].flatMap((schema) => [...schema.relations.values()]),
    );
    return relations.some(
      (relation) =>
        relation.kind === 'TABLE' &&
        (relation.rowAccess !== null || relation.columns.some(({ tags, maskingPolicy }) => tags.size > 0 || maskingPolicy !== null)),
    );
  }

  assertRole(role: string): void {
    if (!this.roles.has(role)) throw noSuchObject('Role', shownName(role));
  }

  assertFree(name: FullName): void {
    if (this.find(name)) throw alreadyExists(shown(name));
  }

  /** Whether `role` is `grantee`'s, directly or through a role that it has. */
  hasRole(grantee: string, role: string, seen: ReadonlySet<string> = new Set()): boolean {
    if (grantee === role || role === 'PUBLIC') return true;
    if (seen.has(grantee)) return false;
    const next = new Set([...seen, grantee]);
    if (BUILT_IN[grantee]?.some((inherited) => this.hasRole(inherited, role, next))) return true;
    return this.grants.some(({ on, name, grantee: to }) => on === 'ROLE' && to === grantee && this.hasRole(name, role, next));
  }
}

export const shown = (name: readonly string[]): string => name.map(shownName).join('.');
