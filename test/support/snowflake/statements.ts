import { planAlterTable, planComment } from './alter.ts';
import type { OtherObject } from './catalogue.ts';
import { planCopy } from './copy.ts';
import { type Creation, planCreateTable, planDropRelation } from './ddl.ts';
import { planDelete, planInsert, planUpdate } from './dml.ts';
import { planMerge } from './merge.ts';
import { type Context, type Plan, TYPE_ID } from './plan.ts';
import { planAlterPlace, planCreateDatabase, planCreateSchema } from './schemas.ts';
import type { Scope } from './scope.ts';
import {
  type AccountKind,
  planAlterAccountObject,
  planAlterOther,
  planCreateAccountObject,
  planCreateOther,
  planCreateRole,
  planDropOther,
  planGrant,
} from './security.ts';
import { query } from './select.ts';
import { planAlterSession, planCall, planTransaction, planUse } from './session-statements.ts';
import { planDescribe, planShow } from './show.ts';
import { planCreateView } from './views.ts';

export interface StatementContext extends Context {
  /** The same names as another role meets them. */
  readonly scopeAs: (role: string) => Scope;
  readonly resolveSchema: (parts: readonly string[]) => [string, string];
}

/** Reads one statement. @throws the service's error where it makes no sense, and "unsupported" where it is beyond this server. */
export function planStatement(context: StatementContext): Plan {
  const { cursor } = context;
  const word = cursor.peek();
  const planner = word.kind === 'word' ? PLANNERS[word.value] : undefined;
  if (planner) return planner(context);
  if (cursor.sees('(') || cursor.sees('WITH') || cursor.sees('SELECT')) return planQuery(context);
  throw cursor.unexpected();
}

const PLANNERS: Readonly<Record<string, (context: StatementContext) => Plan>> = {
  INSERT: planInsert,
  UPDATE: planUpdate,
  DELETE: planDelete,
  MERGE: planMerge,
  COPY: planCopy,
  CREATE: planCreate,
  ALTER: planAlter,
  DROP: planDrop,
  CALL: planCall,
  COMMENT: planComment,
  GRANT: planGrant,
  REVOKE: planGrant,
  EXECUTE: planInContext,
  SHOW: planShow,
  DESCRIBE: planDescribe,
  DESC: planDescribe,
  USE: planUse,
  BEGIN: planTransaction,
  START: planTransaction,
  COMMIT: planTransaction,
  ROLLBACK: planTransaction,
};

function planQuery({ cursor, scope, engine, session }: Context): Plan {
  const sql = query(cursor, scope);
  cursor.expectEnd();
  return { typeId: TYPE_ID.select, needsWarehouse: / FROM /.test(sql), run: () => engine.read(session, sql) };
}

/** `EXECUTE USING POLICY_CONTEXT(CURRENT_ROLE => 'R') AS SELECT …`: what that role would see. */
function planInContext(context: StatementContext): Plan {
  const { cursor, catalogue } = context;
  cursor.expect('EXECUTE', 'USING', 'POLICY_CONTEXT', '(', 'CURRENT_ROLE', '=>');
  const role = cursor.string();
  cursor.expect(')', 'AS');
  catalogue.assertRole(role);
  return planQuery({ ...context, scope: context.scopeAs(role) });
}

function planCreate(context: StatementContext): Plan {
  const { cursor } = context;
  cursor.expect('CREATE');
  const replaces = cursor.takes('OR', 'REPLACE');
  cursor.takes('SECURE');
  const isTransient = cursor.takes('TRANSIENT');
  const kind = kindOf(context);
  const creation: Creation = { replaces, isTransient, keeps: cursor.takes('IF', 'NOT', 'EXISTS') };
  if (kind === 'TABLE') return planCreateTable(context, creation);
  if (kind === 'VIEW') return planCreateView(context, creation);
  if (kind === 'SCHEMA') return planCreateSchema(context, creation, context.resolveSchema);
  if (kind === 'ROLE') return planCreateRole(context, creation);
  if (kind === 'DATABASE') return planCreateDatabase(context, creation);
  if (isAccountKind(kind)) return planCreateAccountObject(context, creation, kind);
  if (isOtherKind(kind)) return planCreateOther(context, creation, kind);
  throw cursor.unsupported();
}

const ACCOUNT_KINDS = ['INTEGRATION', 'WAREHOUSE', 'RESOURCE MONITOR', 'NETWORK POLICY', 'USER'] as const;
const OTHER_KINDS = ['STAGE', 'FILE FORMAT', 'TAG', 'MASKING POLICY', 'ROW ACCESS POLICY', 'TASK'] as const;

const isAccountKind = (kind: string): kind is AccountKind => (ACCOUNT_KINDS as readonly string[]).includes(kind);
const isOtherKind = (kind: string): kind is OtherObject['kind'] => (OTHER_KINDS as readonly string[]).includes(kind);

const KINDS = ['TABLE', 'VIEW', 'SCHEMA', 'DATABASE', 'ROLE', ...ACCOUNT_KINDS, ...OTHER_KINDS] as const;

function kindOf({ cursor }: Context): (typeof KINDS)[number] {
  if (cursor.sees('STORAGE', 'INTEGRATION')) cursor.next();
  const kind = KINDS.find((candidate) => cursor.takes(...candidate.split(' ')));
  if (!kind) throw cursor.unsupported();
  return kind;
}

function planAlter(context: StatementContext): Plan {
  const { cursor } = context;
  if (cursor.sees('ALTER', 'SESSION')) return planAlterSession(context);
  cursor.expect('ALTER');
  const kind = kindOf(context);
  if (kind === 'TABLE') return planAlterTable(context);
  if (kind === 'SCHEMA' || kind === 'DATABASE') return planAlterPlace(context, kind, context.resolveSchema);
  if (isAccountKind(kind)) return planAlterAccountObject(context, kind);
  if (isOtherKind(kind)) return planAlterOther(context, kind);
  throw cursor.unsupported();
}

function planDrop(context: StatementContext): Plan {
  const { cursor } = context;
  cursor.expect('DROP');
  const kind = kindOf(context);
  if (kind === 'TABLE' || kind === 'VIEW') return planDropRelation(context, kind);
  if (isOtherKind(kind)) return planDropOther(context, kind);
  throw cursor.unsupported();
}
