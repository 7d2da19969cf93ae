import { FETCHING } from './fetching.ts';
import { LOADING } from './loading.ts';
import type { Mutant } from './mutant.ts';
import { SHARING } from './sharing.ts';

/** Every way in which the program is broken, to show that the simulation sees it: one for each mechanism that it leans on. */
export const MUTANTS: readonly Mutant[] = [...FETCHING, ...SHARING, ...LOADING];
