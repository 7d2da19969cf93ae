import type { Command } from 'commander';
import { openWarehouse } from '../load/open.ts';
import { type CommonOptions, invoke, withStreamlessOptions } from './command.ts';

export function addQuery(program: Command): void {
  const command = program.command('query <sql>').description('one read-only statement on the warehouse');
  withStreamlessOptions(command, `tidemark query "SELECT count(*) FROM payments"`).action((sql: string, options: CommonOptions) =>
    invoke(options, async ({ configuration, clock }) => {
      const { warehouse: config, workers } = configuration();
      const warehouse = await openWarehouse(config, {
        clock,
        threads: workers.threads,
        memoryBytes: workers.memoryBytes,
        tempDirectory: workers.scratch,
      });
      try {
        const rows = (await warehouse.query(sql)).map(withDigitsAsText);
        return { json: rows, text: formatRows(rows) };
      } finally {
        await warehouse.close();
      }
    }),
  );
}

const LONGEST_CELL = 60;

/** Whole numbers beyond a double are written as text, digit for digit: JSON's readers would round them. */
function withDigitsAsText(row: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(row, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  return JSON.parse(text) as Record<string, unknown>;
}

function formatRows(rows: readonly Record<string, unknown>[]): string {
  const names = Object.keys(rows[0] ?? {});
  if (names.length === 0) return 'no rows';
  const cells = rows.map((row) => names.map((name) => cell(row[name])));
  const widths = names.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(names), ...cells.map(line)].join('\n');
}

function cell(value: unknown): string {
  const text = value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL - 1)}…` : text;
}
