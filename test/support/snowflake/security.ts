import { type FullName, type Grant, type OtherObject, shown } from './catalogue.ts';
import { type Creation, ddl, fullNameOf } from './ddl.ts';
import { alreadyExists, noSuchObject } from './errors.ts';
import { shownName } from './names.ts';
import { options } from './options.ts';
import type { Context, Plan } from './plan.ts';
import { setTagPolicies } from './policies.ts';

/** Roles, grants, tags, policies, stages, integrations: kept, so that a test can ask for them; not enforced. */

const EXECUTED = 'Statement executed successfully.';

export function planCreateRole({ cursor, catalogue }: Context, creation: Creation): Plan {
  const name = cursor.identifier();
  options(cursor);
  cursor.expectEnd();
  return ddl(async () => {
    if (catalogue.roles.has(name) && creation.keeps) return `${name} already exists, statement succeeded.`;
    if (catalogue.roles.has(name)) throw alreadyExists(name);
    catalogue.roles.add(name);
    return `Role ${name} successfully created.`;
  });
}

/** Stages, file formats, tags and policies: in a schema, with their options and the rest of the statement as text. */
export function planCreateOther(context: Context, creation: Creation, kind: OtherObject['kind']): Plan {
  const { cursor, catalogue } = context;
  const name = fullNameOf(context);
  const from = cursor.position;
  const set = options(cursor);
  if (kind === 'TAG' || kind === 'TASK' || kind.endsWith('POLICY')) cursor.rest();
  cursor.expectEnd();
  const text = cursor.position > from ? cursor.textFrom(from) : '';
  return ddl(async () => {
    const { others } = catalogue.schema(name[0], name[1]);
    const key = `${kind} ${name[2]}`;
    if (others.has(key) && creation.keeps) return `${name[2]} already exists, statement succeeded.`;
    if (others.has(key) && !creation.replaces) throw alreadyExists(shown(name));
    if (kind === 'STAGE') assertIntegration(context, set);
    others.set(key, { kind, name: name[2], options: set, text });
    return `${kind} ${name[2]} successfully created.`;
  });
}

function assertIntegration({ catalogue }: Context, set: ReadonlyMap<string, string>): void {
  const integration = set.get('STORAGE_INTEGRATION');
  if (integration !== undefined && !catalogue.accountObjects.has(`INTEGRATION ${integration}`))
    throw noSuchObject('Integration', shownName(integration));
}

export type AccountKind = 'INTEGRATION' | 'WAREHOUSE' | 'RESOURCE MONITOR' | 'NETWORK POLICY' | 'USER';

export function planCreateAccountObject({ cursor, catalogue }: Context, creation: Creation, kind: AccountKind): Plan {
  const name = cursor.identifier();
  cursor.takes('WITH');
  const set = options(cursor);
  if (kind === 'RESOURCE MONITOR') cursor.rest();
  cursor.expectEnd();
  const key = `${kind} ${name}`;
  return ddl(async () => {
    const exists = kind === 'WAREHOUSE' ? catalogue.warehouses.has(name) : catalogue.accountObjects.has(key);
    if (exists && creation.keeps) return `${name} already exists, statement succeeded.`;
    if (exists && !creation.replaces) throw alreadyExists(name);
    catalogue.accountObjects.set(key, set);
    if (kind === 'WAREHOUSE') catalogue.warehouses.set(name, { suspended: false });
    return `${kind} ${name} successfully created.`;
  });
}

export function planAlterAccountObject({ cursor, catalogue }: Context, kind: AccountKind): Plan {
  const isOptional = cursor.takes('IF', 'EXISTS');
  const name = cursor.identifier();
  const suspends = cursor.takes('SUSPEND') ? true : cursor.takes('RESUME') ? false : null;
  if (suspends === false) cursor.takes('IF', 'SUSPENDED');
  cursor.takes('SET');
  const set = options(cursor);
  cursor.expectEnd();
  const key = `${kind} ${name}`;
  return ddl(async () => {
    const warehouse = kind === 'WAREHOUSE' ? catalogue.warehouses.get(name) : undefined;
    const object = catalogue.accountObjects.get(key) ?? (warehouse ? new Map<string, string>() : undefined);
    if (!object && isOptional) return EXECUTED;
    if (!object) throw noSuchObject(kind, shownName(name));
    for (const [option, value] of set) object.set(option, value);
    catalogue.accountObjects.set(key, object);
    if (warehouse && suspends !== null) warehouse.suspended = suspends;
    return EXECUTED;
  });
}

/** `GRANT SELECT, INSERT ON [ALL|FUTURE] TABLE[S] [IN SCHEMA] x TO ROLE r`, `GRANT ROLE r TO ROLE|USER x`; REVOKE alike. */
export function planGrant({ cursor, catalogue }: Context): Plan {
  const revokes = cursor.takes('REVOKE');
  if (!revokes) cursor.expect('GRANT');
  const given = cursor.takes('ROLE') ? [{ privilege: 'USAGE', on: 'ROLE', name: cursor.identifier() }] : privileges({ cursor });
  cursor.expect(revokes ? 'FROM' : 'TO');
  const granteeKind: Grant['granteeKind'] = cursor.takes('USER') ? 'USER' : (cursor.takes('ROLE'), 'ROLE');
  const grantee = cursor.identifier();
  cursor.takes('WITH', 'GRANT', 'OPTION');
  cursor.takesOneOf('CASCADE', 'RESTRICT');
  cursor.expectEnd();
  return ddl(async () => {
    if (granteeKind === 'ROLE') catalogue.assertRole(grantee);
    for (const { privilege, on, name } of given) {
      if (on === 'ROLE') catalogue.assertRole(name);
      const at = catalogue.grants.findIndex(
        (grant) => grant.privilege === privilege && grant.on === on && grant.name === name && grant.grantee === grantee,
      );
      if (revokes && at >= 0) catalogue.grants.splice(at, 1);
      if (!revokes && at < 0) catalogue.grants.push({ privilege, on, name, grantee, granteeKind });
    }
    return EXECUTED;
  });
}

function privileges({ cursor }: Pick<Context, 'cursor'>): { privilege: string; on: string; name: string }[] {
  const names = [privilege({ cursor })];
  while (cursor.takes(',')) names.push(privilege({ cursor }));
  cursor.expect('ON');
  const scope = cursor.takesOneOf('ALL', 'FUTURE');
  const words: string[] = scope ? [scope] : [];
  while (cursor.peek(1).value !== '.' && !['TO', 'FROM'].includes(cursor.peek(1).value)) {
    const word = cursor.identifier();
    if (word === 'ACCOUNT') break;
    if (word !== 'IN') words.push(word);
    else if (cursor.sees('SCHEMA') || cursor.sees('DATABASE')) words.push('IN', cursor.identifier());
  }
  if (cursor.sees('ACCOUNT')) cursor.next();
  const isAccount = cursor.sees('TO') || cursor.sees('FROM');
  const name = isAccount ? 'ACCOUNT' : shown(cursor.qualifiedName());
  return names.map((granted) => ({ privilege: granted, on: words.join(' ') || 'ACCOUNT', name }));
}

function privilege({ cursor }: Pick<Context, 'cursor'>): string {
  const words: string[] = [];
  while (!cursor.sees(',') && !cursor.sees('ON')) words.push(cursor.identifier());
  return words.join(' ');
}

/** ALTER of what is only kept: the options are added to it, the rest of the statement is its newest text. */
export function planAlterOther(context: Context, kind: OtherObject['kind']): Plan {
  const { cursor, catalogue } = context;
  const isOptional = cursor.takes('IF', 'EXISTS');
  const name = fullNameOf(context);
  const from = cursor.position;
  cursor.takes('SET');
  const policies = kind === 'TAG' ? maskingPolicies(context) : [];
  const set = options(cursor);
  cursor.rest();
  const text = cursor.textFrom(from);
  return ddl(async () => {
    if (isOptional && !catalogue.schema(name[0], name[1]).others.has(`${kind} ${name[2]}`)) return EXECUTED;
    const object = catalogue.other(name, kind);
    for (const [option, value] of set) object.options.set(option, value);
    object.options.set('ALTERED', text);
    if (policies.length > 0) setTagPolicies(catalogue, name, policies);
    return EXECUTED;
  });
}

/** `MASKING POLICY a, MASKING POLICY b FORCE` */
function maskingPolicies(context: Context): FullName[] {
  const { cursor } = context;
  const policies: FullName[] = [];
  while (cursor.takes('MASKING', 'POLICY')) {
    policies.push(fullNameOf(context));
    cursor.takes(',');
  }
  cursor.takes('FORCE');
  return policies;
}

export function planDropOther(context: Context, kind: OtherObject['kind']): Plan {
  const { cursor, catalogue } = context;
  const isOptional = cursor.takes('IF', 'EXISTS');
  const name = fullNameOf(context);
  cursor.expectEnd();
  return ddl(async () => {
    if (!isOptional) catalogue.other(name, kind);
    catalogue.schema(name[0], name[1]).others.delete(`${kind} ${name[2]}`);
    return `${name[2]} successfully dropped.`;
  });
}
