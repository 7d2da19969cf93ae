import { expect } from 'vitest';
import { said } from '../support/tidemark.ts';
import { watchSigns } from './signs.ts';
import { expectExact, imageIn, LAST_RUN, type Undisturbed } from './undisturbed.ts';
import { NOW, type TestWorld } from './world.ts';

/** Runs to the end and holds the table against the undisturbed one and against the truth. */
export async function expectSameTable(world: TestWorld, undisturbed: Undisturbed, told: string): Promise<void> {
  const last = await world.run(NOW, LAST_RUN);
  expect(last.code, `${told}\n${said(last)}`).toBe(0);
  await expectExact(world, told);
  expect(await imageIn(world), told).toEqual(undisturbed.image);
}

/** A busy machine merges signs, so that fewer come than came undisturbed: then the next run is killed earlier. @returns whether one was. */
export async function killBy(world: TestWorld, moment: number): Promise<boolean> {
  for (let at = moment; at >= 1; at = Math.floor(at / 2)) if (await killAtSign(world, at)) return true;
  return false;
}

/** @returns whether it was killed; one whose moment does not come ends as it should. */
async function killAtSign(world: TestWorld, moment: number): Promise<boolean> {
  const signs = watchSigns(world, moment);
  try {
    const ended = await signs.follow(world.start(NOW, LAST_RUN, signs.options)).ended;
    expect(ended.signal ?? ended.code, said(ended)).toBeOneOf(['SIGKILL', 0]);
    return ended.signal === 'SIGKILL';
  } finally {
    signs.close();
  }
}
