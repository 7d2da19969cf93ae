import { readFileSync } from 'node:fs';
import { parseConfiguration } from '../../src/config.ts';
import { TidemarkError } from '../../src/errors.ts';
import type { Source, Stream } from '../../src/stream.ts';

/** Two streams, with every default left to the program. */
export const EXAMPLE = readFileSync(new URL('example.yaml', import.meta.url), 'utf8');

/** A configuration of one stream `s` around some lines of `source`, or of the stream. */
export function around(parts: { source?: string; stream?: string; store?: string; warehouse?: string; workers?: string }): string {
  const source = parts.source ?? 'query: { since: from, cursor: cursor }\nresponse: { records: $.data, next: $.next }';
  const stream = parts.stream ?? 'key: [id]\nversion: [updated_at]';
  return [
    `store: ${parts.store ?? 'file:./store'}`,
    `warehouse: ${parts.warehouse ?? 'duckdb:./w.duckdb'}`,
    ...(parts.workers ? [`workers: ${parts.workers}`] : []),
    'streams:',
    '  s:',
    ...indented(stream, 4),
    '    source:',
    ...(/^list:/m.test(source) ? [] : ['      list: http://127.0.0.1/list']),
    ...indented(source, 6),
    '',
  ].join('\n');
}

const indented = (text: string, by: number): readonly string[] => text.split('\n').map((line) => ' '.repeat(by) + line);

export function streamOf(text: string): Stream {
  const [stream] = parseConfiguration(text, '/etc/tidemark/tidemark.yaml', {}).streams;
  if (!stream) throw new Error('there is no stream');
  return stream;
}

export const sourceOf = (lines: string): Source => streamOf(around({ source: lines })).source;

/** The lines of the CONFIG error that reading `text` ends in. */
export function problemsOf(text: string): readonly string[] {
  try {
    parseConfiguration(text, 'tidemark.yaml', {});
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'CONFIG') return error.message.split('\n');
    throw error;
  }
  return [];
}
