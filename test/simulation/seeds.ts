/**
 * Worlds in which the program did what it must not, and what it was. A change of the simulation makes other worlds of the same seeds: what
 * each was is also proved by a test of its own beside the part that was put right.
 */
export const NAMED_SEEDS: readonly { readonly seed: number; readonly was: string }[] = [
  { seed: 8, was: 'windows without records shared one batch, so that the pages of all but one were in none' },
  { seed: 9, was: "verify read one batch's file as another's: the engine keeps what it read by name, size and second" },
  {
    seed: 10,
    was: 'the first daily sweep came after hours of kills, looked back from its own time, and left out what had shown late before',
  },
  { seed: 25, was: 'a session whose first statement failed kept the warehouse locked by its own process until that ended' },
  { seed: 25, was: 'a statement that failed for a moment let the load call its file corrupt' },
  { seed: 536, was: 'a backfill repaired the gap that the watermark waited at, and no later window joined that place any more' },
  { seed: 536, was: 'the watermark waited for a backfill over a gap that a poll had repaired, though nobody took the backfill up again' },
  { seed: 20087, was: 'a loader that was held up wrote rows into a table that another had altered, as it had been before' },
  { seed: 106, was: 'verify took what an interrupted backfill had landed and not yet loaded for lost' },
];
