import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coverageGaps } from '../../src/inspect/coverage.ts';

const stretch = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 20 })).map(([from, length]) => ({ from, to: from + length }));

test('R18: an instant is in a gap exactly where no window holds it, however windows lie', () => {
  fc.assert(
    fc.property(stretch, fc.array(stretch, { maxLength: 8 }), fc.option(stretch), (whole, windows, range) => {
      const { within, gaps } = coverageGaps(whole, windows, [], range);
      for (let instant = 0; instant < 90; instant++) {
        const holds = ({ from, to }: { from: number; to: number }): boolean => instant >= from && instant < to;
        const asked = holds(whole) && (range === null || holds(range));
        expect(holds(within)).toBe(asked);
        expect(gaps.some(holds)).toBe(asked && !windows.some(holds));
      }
    }),
  );
});

test('R18: an open dead letter is a gap of its own, also where windows cover it', () => {
  const { gaps } = coverageGaps({ from: 0, to: 100 }, [{ from: 0, to: 100 }], [{ from: 40, to: 41, deadLetter: 'one' }], null);
  expect(gaps).toEqual([{ from: 40, to: 41, deadLetter: 'one' }]);
});
