import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeVolume } from '../../src/gate/volume.ts';
import { HOUR, MINUTE } from '../../src/time.ts';

const band = { trailing: 7, band: [0.5, 2] } as const;
const hours = (...rows: number[]) => rows.map((count) => ({ rows: count, windowMicros: HOUR }));

describe('the volume band', () => {
  test('R23: a batch inside the band of the trailing average passes, one outside it is held', () => {
    const history = hours(90, 100, 110);
    expect(judgeVolume(100, HOUR, history, band).verdict).toBe('pass');
    expect(judgeVolume(50, HOUR, history, band).verdict).toBe('pass');
    expect(judgeVolume(49, HOUR, history, band).verdict).toBe('held');
    expect(judgeVolume(200, HOUR, history, band).verdict).toBe('pass');
    expect(judgeVolume(201, HOUR, history, band).verdict).toBe('held');
  });

  test('R23: a window without rows is judged as well', () => {
    const judgement = judgeVolume(0, HOUR, hours(90, 100, 110), band);
    expect(judgement).toMatchObject({ verdict: 'held', average: 100 });
    expect(judgement.reason).toBe('0 rows in 1h, where 50 to 200 pass (0.5 to 2 times the average of 100) over the last 3 windows');
  });

  test('a source that is silent by habit may stay silent, and is held when it speaks', () => {
    expect(judgeVolume(0, HOUR, hours(0, 0, 0), band).verdict).toBe('pass');
    expect(judgeVolume(1, HOUR, hours(0, 0, 0), band).verdict).toBe('held');
  });

  test('R23: with fewer than three windows loaded a batch passes, and the reason says so', () => {
    expect(judgeVolume(1_000_000, HOUR, [], band)).toEqual({
      verdict: 'pass',
      average: 0,
      reason: '1000000 rows in 1h pass unjudged: 0 windows are loaded, 3 make an average',
    });
    expect(judgeVolume(0, HOUR, hours(100, 100), band).verdict).toBe('pass');
  });

  test('only the last windows of the history count', () => {
    const history = hours(9_000, 9_000, 100, 100, 100);
    expect(judgeVolume(100, HOUR, history, { trailing: 3, band: [0.9, 1.1] })).toMatchObject({ verdict: 'pass', average: 100 });
  });

  test('windows of different lengths are compared by their rows per hour', () => {
    const history = [...hours(1200, 1200), { rows: 100, windowMicros: 5 * MINUTE }];
    expect(judgeVolume(100, 5 * MINUTE, history, band)).toMatchObject({ verdict: 'pass', average: 100 });
    expect(judgeVolume(1200, 5 * MINUTE, history, band).verdict).toBe('held');
  });

  test('a band of 0 without an upper end in reach holds nothing', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 3, maxLength: 9 }), (rows, history) => {
        expect(judgeVolume(rows, HOUR, hours(...history), { trailing: 7, band: [0, Number.MAX_SAFE_INTEGER] }).verdict).toBe('pass');
      }),
    );
  });
});
