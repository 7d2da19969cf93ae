import { describe, expect, test } from 'vitest';
import { shardOption } from '../../src/cli/shard.ts';
import { arrayPlace } from '../../src/config.ts';

describe('R4: which share of a replay a process takes', () => {
  test.each([
    ['2/4', {}, { index: 1, count: 4 }],
    ['auto', { AWS_BATCH_JOB_ARRAY_INDEX: '3', AWS_BATCH_JOB_ARRAY_SIZE: '8' }, { index: 3, count: 8 }],
    ['auto/4', { JOB_COMPLETION_INDEX: '0' }, { index: 0, count: 4 }],
    ['1/4', { JOB_COMPLETION_INDEX: '3' }, { index: 0, count: 4 }],
  ])('%s with %j', (text, environment, shard) => {
    expect(shardOption(text, arrayPlace(environment))).toEqual(shard);
  });

  test('everything where nothing is said', () => {
    expect(shardOption(undefined, arrayPlace({ JOB_COMPLETION_INDEX: '3' }))).toBeNull();
  });

  test.each([
    ['0/4', {}, /i from 1 to n/],
    ['5/4', {}, /i from 1 to n/],
    ['3', {}, /i from 1 to n/],
    ['half', {}, /i from 1 to n/],
    ['auto', {}, /in no array/],
    ['auto/4', { JOB_COMPLETION_INDEX: 'x' }, /in no array/],
    ['auto', { JOB_COMPLETION_INDEX: '1' }, /write auto\/n/],
    ['auto/2', { JOB_COMPLETION_INDEX: '2' }, /as large as n/],
  ])('%s with %j is refused with what is allowed', (text, environment, hint) => {
    expect(() => shardOption(text, arrayPlace(environment))).toThrow(
      expect.objectContaining({ code: 'CONFIG', hint: expect.stringMatching(hint) }),
    );
  });
});
