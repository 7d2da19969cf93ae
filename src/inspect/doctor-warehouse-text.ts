import { summary } from './doctor-text.ts';
import type { WarehouseCheck } from './doctor-warehouse.ts';
import { field, type Paint, plain } from './text.ts';

const STYLES = { ok: 'good', warning: 'warn', failed: 'bad' } as const;
const LABELS = { ok: 'ok', warning: 'not tried', failed: 'failed' } as const;
const MARGIN = 11;
const LABEL = 10;

/** For a terminal: a line a check; what was found below it where that is not what was expected. */
export function formatWarehouseDoctor(checks: readonly WarehouseCheck[], paint: Paint = plain): string {
  const lines = checks.flatMap(({ name, state, found, hint, expected }) => [
    `${paint(STYLES[state], LABELS[state].padEnd(MARGIN))}${name}`,
    ...(state === 'ok' ? [] : [field('found', found, LABEL, MARGIN), field('expected', expected, LABEL, MARGIN)]),
    ...(hint ? [field('', hint, LABEL, MARGIN)] : []),
  ]);
  return [...lines, '', summary(checks, paint, 'Snowflake answers as the loader takes for granted.')].join('\n');
}
