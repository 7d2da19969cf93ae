import { describe, expect, it } from 'vitest';
import { type Condition, judge } from '../../src/store/s3-write.ts';

const free: Condition = { kind: 'free' };
const tagged: Condition = { kind: 'tag', tag: '"one"' };
const mine = 'replaced-me';
const theirs = { tag: '"two"', writer: 'replaced-them' };
const untouched = { tag: '"one"', writer: 'created-them' };

/** Everything that can stand after a conditional write that was not answered with success. */
describe('after a conditional write, what stands tells', () => {
  it.each([
    {
      case: 'its own name: it was made',
      standing: { tag: '"x"', writer: mine },
      condition: tagged,
      doubtful: true,
      verdict: { verdict: 'written', tag: '"x"' },
    },
    {
      case: 'its own name though refused: an earlier send was made',
      standing: { tag: '"x"', writer: mine },
      condition: free,
      doubtful: false,
      verdict: { verdict: 'written', tag: '"x"' },
    },
    {
      case: 'another, and the answer was a refusal',
      standing: theirs,
      condition: tagged,
      doubtful: false,
      verdict: { verdict: 'refused' },
    },
    { case: 'nothing, and the answer was a refusal', standing: null, condition: tagged, doubtful: false, verdict: { verdict: 'refused' } },
    { case: 'the object as it was: send again', standing: untouched, condition: tagged, doubtful: true, verdict: { verdict: 'again' } },
    { case: 'nothing where it was to create: send again', standing: null, condition: free, doubtful: true, verdict: { verdict: 'again' } },
    { case: 'the creator, who is another', standing: untouched, condition: free, doubtful: true, verdict: { verdict: 'refused' } },
    { case: 'nothing for sure once it was replaced', standing: theirs, condition: free, doubtful: true, verdict: { verdict: 'unknown' } },
    { case: 'nothing for sure under another tag', standing: theirs, condition: tagged, doubtful: true, verdict: { verdict: 'unknown' } },
    { case: 'nothing for sure once it is gone', standing: null, condition: tagged, doubtful: true, verdict: { verdict: 'unknown' } },
  ])('$case', ({ standing, condition, doubtful, verdict }) => {
    expect(judge(standing, { condition, writer: mine }, doubtful)).toEqual(verdict);
  });
});
