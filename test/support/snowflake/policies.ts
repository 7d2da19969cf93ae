import { type Catalogue, type Column, type FullName, type OtherObject, shown, type Table } from './catalogue.ts';
import { Cursor } from './cursor.ts';
import { sqlName } from './names.ts';
import type { Scope } from './scope.ts';
import { parseType, type SnowflakeType } from './types.ts';

/** Masking by tag and row access, as the session's role meets them: a table's rows as a query in brackets. */

interface Policy {
  readonly parameters: readonly { readonly name: string; readonly type: SnowflakeType }[];
  readonly body: string;
}

/** `AS (VAL VARCHAR) RETURNS VARCHAR -> body`, and what `SET BODY -> body` has made of it. */
function policyOf({ text, options }: OtherObject): Policy {
  const cursor = new Cursor(text);
  cursor.expect('AS');
  const parameters = cursor.list(() => ({ name: cursor.identifier(), type: parseType(cursor) }));
  const altered = options.get('ALTERED');
  const whole = altered !== undefined && /^SET\s+BODY\s*->/i.test(altered) ? altered : text;
  return { parameters, body: whole.slice(whole.indexOf('->') + 2).replace(/\bCOMMENT\s*=\s*'(?:[^']|'')*'\s*$/i, '') };
}

/** @returns null where nothing is held back from anybody. */
export function governedRows(catalogue: Catalogue, name: FullName, table: Table, scope: Scope, tableSql: string): string | null {
  const masked = table.columns.map((column) => maskOf(catalogue, column));
  if (table.rowAccess === null && masked.every((policy) => policy === null)) return null;
  const alias = sqlName(name[2]);
  const columns = table.columns.map((column, index) => {
    const policy = masked[index];
    const sql = sqlName(column.name);
    return policy ? `${applied(policy, [`${alias}.${sql}`], { ...scope, columnTags: column.tags })} AS ${sql}` : sql;
  });
  return `(SELECT ${columns.join(', ')} FROM ${tableSql} AS ${alias}${rowFilter(catalogue, table, alias, scope)})`;
}

/** A tag carries one policy for each type of column. */
function maskOf(catalogue: Catalogue, column: Column): Policy | null {
  const names = [...column.tags.keys()].flatMap((tag) => catalogue.tagPolicies.get(tag) ?? []);
  if (column.maskingPolicy !== null) names.unshift(column.maskingPolicy);
  const policies = names.map((policy) => policyOf(named(catalogue, policy, 'MASKING POLICY')));
  return policies.find(({ parameters }) => parameters[0]?.type.name === column.type.name) ?? null;
}

function rowFilter(catalogue: Catalogue, { rowAccess }: Table, alias: string, scope: Scope): string {
  if (rowAccess === null) return '';
  const policy = policyOf(named(catalogue, rowAccess.policy, 'ROW ACCESS POLICY'));
  return ` WHERE ${applied(
    policy,
    rowAccess.columns.map((column) => `${alias}.${sqlName(column)}`),
    scope,
  )}`;
}

/** The body with its parameters as columns of their own. */
function applied({ parameters, body }: Policy, values: readonly string[], scope: Scope): string {
  const given = parameters.map(({ name }, index) => `${values[index]} AS ${sqlName(name)}`);
  const cursor = new Cursor(body);
  const sql = scope.expression(cursor, scope);
  cursor.expectEnd();
  return `(SELECT ${sql} FROM (SELECT ${given.join(', ')}))`;
}

function named(catalogue: Catalogue, name: string, kind: OtherObject['kind']): OtherObject {
  const [database = '', schema = '', object = ''] = new Cursor(name).qualifiedName();
  return catalogue.other([database, schema, object], kind);
}

/** `ALTER TAG t SET MASKING POLICY p [FORCE]`: a policy of the type that was there goes. */
export function setTagPolicies(catalogue: Catalogue, tag: FullName, policies: readonly FullName[]): void {
  const typeOf = (policy: string): string | undefined => policyOf(named(catalogue, policy, 'MASKING POLICY')).parameters[0]?.type.name;
  const added = policies.map(shown);
  const types = new Set(added.map(typeOf));
  const kept = (catalogue.tagPolicies.get(shown(tag)) ?? []).filter((policy) => !types.has(typeOf(policy)));
  catalogue.tagPolicies.set(shown(tag), [...kept, ...added]);
}
