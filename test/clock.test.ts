import { expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { TidemarkError } from '../src/errors.ts';

const takenOver = new TidemarkError({ code: 'FENCED', message: 'payments was taken over', hint: 'Nothing needs to be done.' });

test.each(['before it began', 'while it lasts'])(
  'a sleep ended %s rejects with the reason itself, which says who is to stop',
  async (when) => {
    const ended = new AbortController();
    if (when === 'before it began') ended.abort(takenOver);
    const sleeping = systemClock.sleep(3_600_000, ended.signal);
    ended.abort(takenOver);
    await expect(sleeping).rejects.toBe(takenOver);
  },
);

test('a sleep that nobody ends resolves', async () => {
  await expect(systemClock.sleep(1)).resolves.toBeUndefined();
  await expect(systemClock.sleep(1, new AbortController().signal)).resolves.toBeUndefined();
});
