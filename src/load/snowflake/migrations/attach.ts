import { identifier } from '../../../sql.ts';
import type { Stream } from '../../../stream.ts';
import { MEMBERS_TAG, membersValue, PERSONAL_TAG, type PersonalField, type PersonalValue, personalFields } from './masking.ts';
import { objectSql, type Place, textSql } from './names.ts';
import { ROW_ACCESS_POLICY } from './row-access.ts';

/** How the tables of streams come under the policies. The loader runs these where it creates and evolves a table. */

/** A column of the table that holds values of a field; one field may have several, as its type widened. */
export interface PhysicalColumn {
  /** As the table calls it: `EMAIL__2`. */
  readonly name: string;
  /** The record's top-level field: `email`. */
  readonly field: string;
  /** Of Snowflake: only VARIANT has members that can be masked one by one. */
  readonly type: string;
}

/**
 * The end of `CREATE TABLE IF NOT EXISTS … __ROWS (…) CLUSTER BY (…) COMMENT = '…'`, with a blank in front; empty where no column says the
 * environment. Part of the creation, since a policy cannot be added twice, and no row is ever there without it.
 */
export function rowAccessClause(
  place: Place,
  stream: Pick<Stream, 'key' | 'environment'>,
  columns: readonly Pick<PhysicalColumn, 'name' | 'field'>[],
): string {
  const field = environmentField(stream);
  const column = columns.find((candidate) => candidate.field === field);
  return column ? ` WITH ROW ACCESS POLICY ${objectSql(place, ROW_ACCESS_POLICY)} ON (${identifier(column.name)})` : '';
}

/** The field that tells the environment apart; null where the table holds one alone. */
function environmentField({ key, environment }: Pick<Stream, 'key' | 'environment'>): string | null {
  const field = environment !== null && 'field' in environment ? environment.field : 'environment';
  return key.some(({ name }) => name === field) ? field : null;
}

/** Idempotent: they may be run with every change of the table, and bring what the configuration has come to say since. */
export function tagStatements(
  place: Place,
  stream: Pick<Stream, 'name' | 'personal'>,
  table: string,
  columns: readonly PhysicalColumn[],
): readonly string[] {
  const personal = personalFields(stream);
  return columns.flatMap(({ name, field, type }) => {
    const found = personal.find((candidate) => candidate.field === field);
    return found ? [`ALTER TABLE ${objectSql(place, table)} MODIFY COLUMN ${identifier(name)} SET TAG ${tags(place, found, type)}`] : [];
  });
}

function tags(place: Place, field: PersonalField, type: string): string {
  const value: PersonalValue = field.members.length === 0 || type !== 'VARIANT' ? 'value' : 'members';
  const personal = `${objectSql(place, PERSONAL_TAG)} = ${textSql(value)}`;
  return value === 'value' ? personal : `${personal}, ${objectSql(place, MEMBERS_TAG)} = ${textSql(membersValue(field))}`;
}
