import { identifier } from '../../../sql.ts';
import { type MigrationContext, objectSql, textSql } from './names.ts';

/**
 * Personal fields are masked by tag: whoever is not the loader sees a mark instead of a text, and null instead of what has no text.
 * The tags and policies are an administrator's; the loader may attach the tags, and cannot take the policies away.
 */

export const PERSONAL_TAG = 'TIDEMARK_PERSONAL';
/** Of a column whose members are personal in part: whose they are, `payments.payload`. */
export const MEMBERS_TAG = 'TIDEMARK_PERSONAL_MEMBERS';
/** value: the whole field is personal. members: some of its members are. */
export const PERSONAL_VALUES = ['value', 'members'] as const;
export type PersonalValue = (typeof PERSONAL_VALUES)[number];

export const MASK = '***';

/** One personal field of a stream, with the paths below it; none for the whole field. */
export interface PersonalField {
  readonly stream: string;
  readonly field: string;
  readonly members: readonly (readonly string[])[];
}

/** What a stream's configuration says is personal, by top-level field. */
export function personalFields(stream: { readonly name: string; readonly personal: readonly string[] }): readonly PersonalField[] {
  const byField = Map.groupBy(
    stream.personal.map((path) => path.split('.')),
    ([field = '']) => field,
  );
  return [...byField].map(([field, paths]) => {
    const members = paths.map((path) => path.slice(1));
    return { stream: stream.name, field, members: members.some((path) => path.length === 0) ? [] : members };
  });
}

/** What MEMBERS_TAG says of a column. */
export const membersValue = ({ stream, field }: PersonalField): string => `${stream}.${field}`;

/** Idempotent, and a changed configuration changes the bodies. To be run by an administrator, in this order. */
export function maskingStatements(context: MigrationContext, fields: readonly PersonalField[]): readonly string[] {
  const [personal, members] = [objectSql(context, PERSONAL_TAG), objectSql(context, MEMBERS_TAG)];
  return [
    `CREATE TAG IF NOT EXISTS ${personal} ALLOWED_VALUES ${PERSONAL_VALUES.map(textSql).join(', ')}
COMMENT = 'Personal data: the whole value, or members of it'`,
    `CREATE TAG IF NOT EXISTS ${members} COMMENT = 'Stream and field whose configuration says which members are personal'`,
    ...policies(context, fields).flatMap(({ name, type, body }) => [
      `CREATE MASKING POLICY IF NOT EXISTS ${objectSql(context, name)} AS (VAL ${type}) RETURNS ${type} -> ${body}`,
      `ALTER MASKING POLICY ${objectSql(context, name)} SET BODY -> ${body}`,
      `ALTER TAG ${personal} SET MASKING POLICY ${objectSql(context, name)} FORCE`,
    ]),
    `GRANT APPLY ON TAG ${personal} TO ROLE ${identifier(context.roles.loader)}`,
    `GRANT APPLY ON TAG ${members} TO ROLE ${identifier(context.roles.loader)}`,
  ];
}

interface Policy {
  readonly name: string;
  readonly type: string;
  readonly body: string;
}

/** One for each type that a column of `__ROWS` may have: a tag carries one policy a type. */
function policies(context: MigrationContext, fields: readonly PersonalField[]): readonly Policy[] {
  const unmasked = `IS_ROLE_IN_SESSION(${textSql(context.roles.loader)})`;
  const policy = (type: string, masked: string): Policy => ({
    name: `TIDEMARK_MASK_${/^[A-Z]+/.exec(type)?.[0]}`,
    type,
    body: `CASE WHEN ${unmasked} OR VAL IS NULL THEN VAL ELSE ${masked} END`,
  });
  return [
    policy('VARCHAR', textSql(MASK)),
    policy('VARIANT', maskedMembers(context, fields)),
    ...['NUMBER(38,0)', 'BOOLEAN', 'TIMESTAMP_LTZ', 'DATE'].map((type) => policy(type, 'NULL')),
  ];
}

/** By the column's tag the members that are personal; a column of which nothing is known is masked as a whole. */
function maskedMembers(context: MigrationContext, fields: readonly PersonalField[]): string {
  const cases = fields
    .filter(({ members }) => members.length > 0)
    .map((field) => `WHEN ${textSql(membersValue(field))} THEN ${maskedValueSql('VAL', field.members)}`);
  if (cases.length === 0) return WHOLE;
  return `CASE SYSTEM$GET_TAG_ON_CURRENT_COLUMN(${textSql(objectSql(context, MEMBERS_TAG))}) ${cases.join(' ')} ELSE ${WHOLE} END`;
}

const WHOLE = `TO_VARIANT(${textSql(MASK)})`;

/** The VARIANT `value` with the members at these paths masked. */
export const maskedValueSql = (value: string, members: readonly (readonly string[])[]): string => maskedTree(value, treeOf(members));

interface Tree {
  readonly members: Map<string, Tree>;
}

function treeOf(paths: readonly (readonly string[])[]): Tree {
  const root: Tree = { members: new Map() };
  for (const path of paths) {
    let node = root;
    for (const name of path) {
      const next: Tree = node.members.get(name) ?? { members: new Map() };
      node.members.set(name, next);
      node = next;
    }
  }
  return root;
}

/**
 * A member that is not there stays away (OBJECT_INSERT leaves out what is NULL), a null stays null, and where a path meets a list or a
 * scalar, that is masked as a whole.
 */
function maskedTree(value: string, { members }: Tree): string {
  if (members.size === 0) return WHOLE;
  const inserted = [...members].reduce((object, [name, below]) => {
    const member = `GET(${value}, ${textSql(name)})`;
    const masked = `CASE WHEN ${member} IS NULL OR IS_NULL_VALUE(${member}) THEN ${member} ELSE ${maskedTree(member, below)} END`;
    return `OBJECT_INSERT(${object}, ${textSql(name)}, ${masked}, TRUE)`;
  }, `${value}::OBJECT`);
  return `IFF(IS_OBJECT(${value}), TO_VARIANT(${inserted}), ${WHOLE})`;
}
