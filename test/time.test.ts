import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compactInstant,
  formatDuration,
  formatInstant,
  ISO_PATTERN,
  parseDuration,
  parseInstant,
  TIME_RANGE,
  writeInstant,
} from '../src/time.ts';

const instant = fc.integer({ min: TIME_RANGE.from, max: TIME_RANGE.to - 1 });
const NOON = Date.UTC(2026, 10, 20, 12) * 1000;

describe('instants', () => {
  test('are few enough for a double to hold each exactly', () => {
    expect([TIME_RANGE.from, TIME_RANGE.to].every(Number.isSafeInteger)).toBe(true);
    expect([formatInstant(TIME_RANGE.from), formatInstant(TIME_RANGE.to)]).toEqual(['1700-01-01T00:00:00Z', '2255-01-01T00:00:00Z']);
  });

  test('are read as they were written, in every form', () => {
    fc.assert(
      fc.property(instant, (micros) => {
        expect(parseInstant(formatInstant(micros), 'iso')).toBe(micros);
        expect(parseInstant(writeInstant(micros, 'epoch-us'), 'epoch-us')).toBe(micros);
        expect(parseInstant(writeInstant(micros, 'epoch-ms'), 'epoch-ms')).toBe(Math.floor(micros / 1000) * 1000);
      }),
    );
  });

  test('sort as texts as they sort as numbers', () => {
    const recent = fc.integer({ min: 0, max: TIME_RANGE.to - 1 }).map((micros) => Math.floor(micros / 1e6) * 1e6);
    fc.assert(
      fc.property(recent, recent, (a, b) => {
        expect(compactInstant(a) < compactInstant(b)).toBe(a < b);
      }),
    );
  });

  test.each([
    ['2026-11-20T12:00:00Z', NOON],
    ['2026-11-20 12:00:00', NOON],
    ['2026-11-20T12:00', NOON],
    ['2026-11-20T14:00+02', NOON],
    ['2026-11-20T14:00:00+0200', NOON],
    ['2026-11-20T06:30:00-05:30', NOON],
    ['2026-11-20T12:00:00.123456789012z', NOON + 123_456],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29) * 1000],
    ['1699-12-31T23:00:00-05:00', TIME_RANGE.from + 4 * 3600 * 1e6],
    ['2254-12-31T23:59:59.999999Z', TIME_RANGE.to - 1],
  ])('%s is a time', (text, micros) => {
    expect(parseInstant(text, 'iso')).toBe(micros);
    expect(text).toMatch(new RegExp(`^${ISO_PATTERN}$`));
  });

  test.each([
    '',
    '2026-11-20',
    '2026-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2026-11-20T24:00:00Z',
    '2026-11-20T23:59:60Z',
    '2026-11-20T12:60:00Z',
    '2026-11-20T12:00:00+16:00',
    '2026-11-20T12:00:00+02:60',
    '2026-11-20t12:00:00z',
    ' 2026-11-20T12:00:00Z',
    '2026-11-20T12:00:00Z\n',
    '2026-11-20T12:00:00.Z',
    'infinity',
    'epoch',
    '0001-01-01T00:00:00Z',
    '1700-01-01T00:00:00+00:01',
    '2255-01-01T00:00:00Z',
  ])('%j is none', (text) => {
    expect(parseInstant(text, 'iso')).toBeNull();
  });

  test('of epochs keep their microseconds, and cut what is beyond', () => {
    expect(parseInstant('1763769723.123456', 'epoch-s')).toBe(1_763_769_723_123_456);
    expect(parseInstant('-1.0000019', 'epoch-s')).toBe(-1_000_001);
    expect(parseInstant('1763769723123.9999', 'epoch-ms')).toBe(1_763_769_723_123_999);
    expect(parseInstant('1763769723123456.9', 'epoch-us')).toBe(1_763_769_723_123_456);
    for (const text of ['1e9', '+1', '1.', '.5', '', '99999999999999999', '0x10', '1763769723Z'])
      expect(parseInstant(text, 'epoch-s')).toBeNull();
  });
});

test('durations are read and written', () => {
  expect(['500ms', '90s', '5m', '1.5h', '48h', '7d'].map(parseDuration)).toEqual([500e3, 90e6, 300e6, 5400e6, 172_800e6, 604_800e6]);
  expect(['', '5', 'm', '-5m', '5 m', '1w'].map(parseDuration)).toEqual(Array.from({ length: 6 }, () => null));
  expect([300e6, 5400e6, 172_800e6].map(formatDuration)).toEqual(['5m', '1.5h', '2d']);
});
