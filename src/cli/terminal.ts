import { colorWanted, isCI } from '../config.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import { table as indentedTable, type Paint } from '../inspect/text.ts';

const CODES = { bold: 1, dim: 2, good: 32, bad: 31, warn: 33 } as const;

/** Where a command writes: its answer to standard output, everything else to standard error. */
export interface Terminal {
  answer(text: string): void;
  note(text: string): void;
  /** Replaces the lines that were last shown live; without a terminal nothing is shown. */
  live(lines: readonly string[]): void;
  readonly isLive: boolean;
  readonly paint: Paint;
}

export function systemTerminal(): Terminal {
  const color = colorWanted(process.stdout.isTTY);
  const isLive = process.stderr.isTTY && !isCI();
  let shown = 0;
  const clear = (): void => {
    if (shown > 0) process.stderr.write(`\u001b[${shown}A\u001b[0J`);
    shown = 0;
  };
  return {
    isLive,
    paint: (style, text) => (color ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text),
    answer: (text) => {
      clear();
      process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    },
    note: (text) => {
      clear();
      process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
    },
    live: (lines) => {
      if (!isLive) return;
      clear();
      process.stderr.write(lines.map((line) => `${line}\n`).join(''));
      shown = lines.length;
    },
  };
}

/** An error as a person reads it: what happened, then what was kept and what to do. */
export function formatError(error: unknown): string {
  if (!(error instanceof TidemarkError)) return `tidemark: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`;
  return [`tidemark: ${error.message}`, ...(error.hint ? [`  ${error.hint}`] : [])].join('\n');
}

export type { Paint } from '../inspect/text.ts';

/** Columns as wide as their widest cell, from the left margin. */
export const table = (rows: Parameters<typeof indentedTable>[0]): string => indentedTable(rows, 0);
