import type { Micros } from '../clock.ts';
import { formatInstant, SECOND } from '../time.ts';

/** How words stand out in a terminal. */
export type Paint = (style: 'bold' | 'dim' | 'good' | 'bad' | 'warn', text: string) => string;
export const plain: Paint = (_style, text) => text;

/** Columns that a report fits in, where its words allow. */
export const WIDTH = 100;

/** `label  text`, with what does not fit on one line below it, under the text. */
export function field(label: string, text: string, labelWidth = 14, indent = 2): string {
  const margin = ' '.repeat(indent + labelWidth);
  const [first = '', ...rest] = wrap(text, WIDTH - margin.length);
  return [`${' '.repeat(indent)}${label.padEnd(labelWidth)}${first}`, ...rest.map((line) => `${margin}${line}`)].join('\n');
}

/** Breaks at blanks; a word that is longer than a line keeps its line for itself, so that keys and URLs can be copied. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line.trimEnd());
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

/** Breaks anywhere: for bytes, whose blanks mean nothing. */
export const chunks = (text: string, width: number): string[] => text.match(new RegExp(`.{1,${width}}`, 'gsu')) ?? [];

/** Rows of cells, in columns as wide as their widest cell; numbers are set to the right. */
export function table(rows: readonly (readonly (string | number)[])[], indent = 2): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, cellText(cell).length)), []);
  const line = (row: readonly (string | number)[]): string =>
    row.map((cell, at) => (typeof cell === 'number' ? cellText(cell).padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  ');
  return rows.map((row) => `${' '.repeat(indent)}${line(row)}`.trimEnd()).join('\n');
}

const cellText = (cell: string | number): string => (typeof cell === 'number' ? count(cell) : cell);

/** `1,234,567` */
export const count = (value: number): string => value.toLocaleString('en-US');

/** `1 page`, `2 pages` */
export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

export const instantOrNull = (micros: Micros | null): string | null => (micros === null ? null : formatInstant(micros));

/** An ISO time to the second, for reading: `2026-11-20 10:00:00Z`. */
export const readable = (instant: string | null): string =>
  instant === null ? 'never' : `${instant.slice(0, 10)} ${instant.slice(11, 19)}Z`;

/** A text's beginning, and that there is more. */
export const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);

export const seconds = (micros: Micros): number => Math.round(micros / SECOND);

/** Goes on where the backfill of that range stopped. */
export const backfillCommand = (stream: string, { start, end }: { readonly start: Micros; readonly end: Micros }): string =>
  `tidemark backfill --stream ${stream} --from ${formatInstant(start)} --to ${formatInstant(end)}`;
