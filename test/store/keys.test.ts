import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkKey, compareKeys } from '../../src/store/check-key.ts';
import {
  alternativeKey,
  dayPrefix,
  generationPrefix,
  hourPrefix,
  manifestKey,
  pageKey,
  parseRawKey,
  receiptKey,
  windowPrefix,
} from '../../src/store/keys.ts';
import { parseInstant } from '../../src/time.ts';

const at = (text: string): number => parseInstant(text, 'iso') ?? Number.NaN;
const scope = { stream: 'payments', environment: 'prod' };
const window = { start: at('2026-11-20T10:00:00Z'), end: at('2026-11-20T10:05:00.5Z') };

it('keys of raw pages read as documented', () => {
  const generation = generationPrefix(scope, window, 3);
  const folder = 'raw/v1/payments/env=prod/dt=2026-11-20/hr=10/win=20261120T100000Z_20261120T100500.500000Z/gen=00000003/';
  expect(pageKey(generation, 12)).toBe(`${folder}page-000012.json.zst`);
  expect(receiptKey(pageKey(generation, 12))).toBe(`${folder}page-000012.receipt.json`);
  expect(alternativeKey(generation, 12, 'ab'.repeat(32))).toBe(`${folder}page-000012.alt-abababababababab.json.zst`);
  expect(manifestKey(generation)).toBe(`${folder}manifest.json`);
});

it('keys of raw pages tell window, generation and slot again', () => {
  const instant = fc.integer({ min: at('2000-01-01T00:00:00Z'), max: at('2099-01-01T00:00:00Z') });
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
  fc.assert(
    fc.property(
      instant,
      fc.integer({ min: 1, max: 1e12 }),
      fc.nat(),
      fc.integer({ min: 1, max: 5e6 }),
      hex,
      fc.constantFrom({}, { kind: 'push' }),
      (start, length, epoch, slot, sha256, kind) => {
        const asked = { start, end: start + length, ...kind };
        const generation = generationPrefix(scope, asked, epoch);
        const name = { ...scope, window: asked, epoch };
        const own = pageKey(generation, slot);
        const other = alternativeKey(generation, slot, sha256);
        expect(parseRawKey(own)).toEqual({ ...name, file: { kind: 'page', slot, alternative: null } });
        expect(parseRawKey(other)).toEqual({ ...name, file: { kind: 'page', slot, alternative: sha256.slice(0, 16) } });
        expect(parseRawKey(receiptKey(other))).toEqual({ ...name, file: { kind: 'receipt', slot, alternative: sha256.slice(0, 16) } });
        expect(parseRawKey(manifestKey(generation))).toEqual({ ...name, file: { kind: 'manifest' } });
        for (const prefix of [hourPrefix(scope, start), dayPrefix(scope, start), windowPrefix(scope, asked)])
          expect(own.startsWith(prefix)).toBe(true);
        checkKey(own);
      },
    ),
  );
});

it('R26: what was pushed in a stretch of the clock lies beside what was asked for the same stretch of time', () => {
  const pushed = windowPrefix(scope, { ...window, kind: 'push' });
  expect(pushed.startsWith(windowPrefix(scope, window))).toBe(false);
  expect(windowPrefix(scope, { ...window, kind: 'poll' })).toBe(windowPrefix(scope, window));
});

it('other keys are no raw pages', () => {
  for (const key of ['state/payments/head.json', 'raw/v1/payments/readme', `${generationPrefix(scope, window, 1)}notes.txt`]) {
    expect(parseRawKey(key)).toBeNull();
  }
});

it('keys sort by bytes of UTF-8, where JavaScript sorts by halves of characters', () => {
  expect(['😀', '\uffee', 'a'].sort(compareKeys)).toEqual(['a', '\uffee', '😀']);
});
