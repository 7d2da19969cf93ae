import { describe, expect, test } from 'vitest';
import { asTyped } from '../../src/cli/as-typed.ts';

describe('a command that a text names', () => {
  test.each([
    ['  next          tidemark run --once --stream s', '  next          bin/tidemark run --config a/b.yaml --once --stream s'],
    ['`tidemark dead-letter retry 7` or wait', '`bin/tidemark dead-letter retry --config a/b.yaml 7` or wait'],
    ['`tidemark quarantine` lists them.', '`bin/tidemark quarantine --config a/b.yaml` lists them.'],
    ['something came later: tidemark verify', 'something came later: bin/tidemark verify --config a/b.yaml'],
  ])('can be typed as it is printed: %s', (text, typed) => {
    expect(asTyped(text, 'a/b.yaml', 'bin/tidemark')).toBe(typed);
  });

  test.each(['tidemark: the file is open', 'made by tidemark itself', '/srv/tidemark run', 'tidemark running'])(
    'is no other text: %s',
    (text) => {
      expect(asTyped(text, 'a/b.yaml', 'bin/tidemark')).toBe(text);
    },
  );

  test('needs no option for the configuration that is the default', () => {
    expect(asTyped('tidemark status', 'tidemark.yaml', 'tidemark')).toBe('tidemark status');
  });

  test('needs none where the text names its own, as the demo does', () => {
    expect(asTyped('tidemark status --config a.yaml', '', 'tidemark')).toBe('tidemark status --config a.yaml');
  });
});
