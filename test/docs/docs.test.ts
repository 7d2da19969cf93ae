import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '../../src/config.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('the documents', () => {
  it('show a configuration that is valid as it stands', () => {
    const [, yaml = ''] = /```yaml\n(# tidemark\.yaml[\s\S]*?)```/.exec(read('README.md')) ?? [];
    expect(parseConfiguration(yaml, 'README.md', { PARTNER_KEY: 'x' }).streams.map((stream) => stream.name)).toEqual(['payments']);
  });

  it('list every requirement, with tests that bear its number in a title', () => {
    const rows = [...read('docs/REQUIREMENTS.md').matchAll(/^\| (R\d+) \|(.*)$/gm)].map(([, number = '', row = '']) => ({ number, row }));
    expect(rows.map((row) => row.number)).toEqual(Array.from({ length: 28 }, (_, index) => `R${index + 1}`));
    for (const { number, row } of rows) {
      for (const [, file = ''] of row.matchAll(/`(test\/[^`]+)`/g)) {
        expect(titlesOf(read(file)), `${file} has no title with ${number}`).toMatch(new RegExp(`\\b${number}\\b`));
      }
    }
  });

  it('say what every error and every exit code means', () => {
    const operations = read('docs/OPERATIONS.md');
    const codes = [...read('src/errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(10);
    for (const code of codes) expect(operations).toContain(`\`${code}\``);
    for (const exit of [0, 1, 2, 3, 4, 5, 6]) expect(operations).toMatch(new RegExp(`^\\| ${exit} \\|`, 'm'));
  });
});

/** Titles of tests and suites, also where a table of cases completes them. */
function titlesOf(source: string): string {
  return [...source.matchAll(/(?:describe|it|test)(?:\.each[\s\S]*?\))?(?:\.\w+)?\(\s*(['"`])([\s\S]*?)\1/g)]
    .map(([, , title]) => title)
    .join('\n');
}
