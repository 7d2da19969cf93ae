/** Worlds in which the program did what it must not, and what it was. Each stays, so that it does not come back unseen. */
export const NAMED_SEEDS: readonly { readonly seed: number; readonly was: string }[] = [
  { seed: 8, was: 'windows without records shared one batch, so that the pages of all but one were in none' },
  {
    seed: 10,
    was: 'the first daily sweep came after hours of kills, looked back from its own time, and left out what had shown late before',
  },
  { seed: 25, was: 'a session whose first statement failed kept the warehouse locked by its own process until that ended' },
];
