import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import type { BatchInput } from './batch.ts';
import { type CutPages, shareGroups } from './cut-pages.ts';
import { fileHash } from './files.ts';
import type { Pool } from './pool.ts';
import {
  countConflicts,
  countLeftOut,
  countLosers,
  countRows,
  dropSettled,
  saveLeftOut,
  saveSightings,
  settleKnown,
  settleLosers,
  settleRivals,
} from './statements.ts';

/** Which observation of each key goes on. */
export interface Settled {
  /** Local file with (p, i) of the observations that are not published. */
  readonly leftOut: string;
  readonly rows: number;
  readonly distinct: number;
  readonly conflicts: number;
}

/** The pass over the whole batch: narrow rows only, so it is quick, and spills where it must. */
export async function settle(folder: string, input: BatchInput, pool: Pool, cut: CutPages, basis: readonly string[]): Promise<Settled> {
  const leftOut = join(folder, 'left-out.parquet');
  if (cut.accepted === 0) return { leftOut, rows: 0, distinct: 0, conflicts: 0 };
  const { definition } = input;
  const narrow = cut.groups.map((group) => group.narrow);
  const said = await pool.run({
    kind: 'statements',
    run: [
      settleRivals(definition, narrow),
      settleLosers(),
      ...(basis.length > 0 ? [settleKnown(definition, narrow, basis)] : []),
      saveLeftOut(leftOut),
    ],
    ask: { losers: countLosers(), leftOut: countLeftOut(), conflicts: countConflicts(definition) },
    after: dropSettled(),
  });
  const count = (name: keyof typeof said): number => Number(said[name]?.['n'] ?? 0);
  return { leftOut, rows: cut.accepted - count('leftOut'), distinct: cut.accepted - count('losers'), conflicts: count('conflicts') };
}

export interface SightingsFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes down every accepted observation, a file for each thread. Needs nothing of what `settle` finds, so both go on together. */
export async function writeSightings(folder: string, input: BatchInput, pool: Pool, cut: CutPages): Promise<readonly SightingsFile[]> {
  if (cut.accepted === 0) return [];
  const shares = shareGroups(cut.groups, pool.threads, cut.accepted);
  return mapConcurrent(shares, pool.threads, async (groups, index) => {
    const path = join(folder, `sightings-${index}.parquet`);
    const narrow = groups.map((group) => group.narrow);
    const { written } = await pool.run({
      kind: 'statements',
      run: [saveSightings(input.definition, narrow, cut.names, path)],
      ask: { written: countRows(path) },
      after: [],
    });
    return { path, rows: Number(written?.['n']), bytes: (await stat(path)).size, sha256: await fileHash(path) };
  });
}
