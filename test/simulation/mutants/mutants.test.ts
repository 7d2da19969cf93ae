import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { edited } from './mutant.ts';
import { MUTANTS } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

describe('the ways in which `make mutants` breaks the program', () => {
  test.for(MUTANTS)('$name still breaks the sources as they are', ({ edits }) => {
    for (const edit of edits) expect(edited(read(edit.file), edit)).not.toBe(read(edit.file));
  });

  test('are at least twelve, each under a name of its own, and say which requirement they violate', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(12);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    for (const { breaks } of MUTANTS) expect(breaks).toMatch(/^(R\d+|The law)(, R\d+)*: .+\.$/);
  });

  test('break the program alone, never the simulation that is to see it', () => {
    for (const { edits } of MUTANTS) for (const { file } of edits) expect(file).toMatch(/^src\/.+\.ts$/);
  });

  test('are out of date where their text is gone, or stands there twice', () => {
    const edit = { file: 'src/a.ts', from: 'if (held) return;', to: '' };
    expect(edited('a();\nif (held) return;\n', edit)).toBe('a();\n\n');
    expect(() => edited('a();\n', edit)).toThrow('out of date');
    expect(() => edited('if (held) return; if (held) return;', edit)).toThrow('stands 2 times');
  });
});
