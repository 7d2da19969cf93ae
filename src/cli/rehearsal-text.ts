import type { Rehearsal } from '../pipeline/rehearse.ts';
import { changeLine } from './schema-changes.ts';
import { table } from './terminal.ts';

/** Statements and characters of a value that are shown; `--json` has all. */
const SHOWN = { statements: 20, value: 60 } as const;

/** What a replay would do to the rows: by day, by field, with samples. */
export function rowsText({ days, same, fields, samples }: Rehearsal): string {
  if (days.length === 0) return `no row would change; ${same} would be the same`;
  const rows = days.map(({ day, inserted, updated, reread }) => [day, inserted, updated, reread]);
  const money = days.flatMap(({ day, money: sums }) => sums.map(({ unit, before, after }) => [day, unit, before, after]));
  return [
    table([['day', 'inserted', 'updated', 'read anew'], ...rows]),
    ...(money.length > 0 ? [table([['day', 'money', 'before', 'after'], ...money])] : []),
    ...countLines('rows with another value, by field', fields),
    ...(samples.length > 0 ? ['samples'] : []),
    ...samples.flatMap(({ kind, key, fields: differing }) => [
      `  ${kind}  ${key.join('/')}`,
      ...differing.map(({ name, before, after }) => `    ${name}  ${short(before)} → ${short(after)}`),
    ]),
    `${same} rows would be the same`,
  ].join('\n');
}

/** What it would do to the schema and to the table, and whom it would keep out. */
export function schemaText({ schema, statements, quarantined, discarded }: Rehearsal): string {
  const more = statements.length - SHOWN.statements;
  return [
    schema.changes.length === 0
      ? `the schema stays at version ${schema.from}`
      : `the schema goes from version ${schema.from} to ${schema.to}`,
    ...schema.changes.map(changeLine),
    ...(statements.length === 0 ? ['the table keeps its columns'] : ['the table would be altered']),
    ...statements.slice(0, SHOWN.statements).map((statement) => `  ${statement}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    ...countLines('records that would go to quarantine, by rule', quarantined),
    ...countLines('rows that would be without a field that the contract discards', discarded),
  ].join('\n');
}

export const rehearsedText = ({ stream, pages, records, transform }: Rehearsal): string =>
  `${stream}: ${pages} pages, ${records} records${transform > 0 ? `, transform ${transform}` : ''}; nothing was changed`;

function countLines(title: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : [title, ...entries.map(([name, rows]) => `  ${name}  ${rows}`)];
}

function short(value: string | null): string {
  if (value === null) return 'nothing';
  return value.length > SHOWN.value ? `${value.slice(0, SHOWN.value)}…` : value;
}
