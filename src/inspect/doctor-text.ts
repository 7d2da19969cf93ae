import type { Check } from './doctor.ts';
import { field, type Paint, plain, plural } from './text.ts';

const STYLES = { ok: 'good', warning: 'warn', failed: 'bad' } as const;

/** For a terminal: a line a check, with what to do below it. */
export function formatDoctor(checks: readonly Check[], paint: Paint = plain): string {
  const width = Math.max(...checks.map((check) => check.name.length)) + 2;
  const lines = checks.flatMap(({ name, state, found, hint }) => [
    `${paint(STYLES[state], state.padEnd(9))}${field(name, found, width, 0).replaceAll('\n', `\n${' '.repeat(9)}`)}`,
    ...(hint ? [field('', hint, width, 9)] : []),
  ]);
  return [...lines, '', summary(checks, paint)].join('\n');
}

export function summary(checks: readonly Check[], paint: Paint, well = 'Everything is reachable and allowed.'): string {
  const failed = checks.filter((check) => check.state === 'failed').length;
  const warnings = checks.filter((check) => check.state === 'warning').length;
  if (failed > 0) return paint('bad', `${plural(failed, 'check')} failed.`);
  return warnings > 0 ? paint('warn', `Nothing failed; ${plural(warnings, 'warning')}.`) : paint('good', well);
}
