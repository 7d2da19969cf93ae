import { watch } from 'node:fs';
import { join } from 'node:path';
import { RESERVED_SEGMENT } from '../../src/store/check-key.ts';
import type { Running, StartOptions } from '../support/tidemark.ts';
import type { TestWorld } from './world.ts';

/** What the outside sees of a run: lines of its log, files that it stages in the store or requests to it, changes of the warehouse's file and its log. */
export interface Signs {
  readonly options: StartOptions;
  /** Follows the process and kills it at the sign that was asked for. */
  follow(running: Running): Running;
  seen(): number;
  close(): void;
}

/** Counts from the first line of the log on: what comes before it (the probe of the store) changes nothing. */
export function watchSigns(world: TestWorld, killAt: number): Signs {
  let seen = 0;
  let begun = false;
  let running: Running | null = null;
  const note = (): void => {
    if (!begun) return;
    seen += 1;
    if (seen === killAt) running?.kill('SIGKILL');
  };
  const warehouse = watch(world.folder, (_kind, name) => (name?.startsWith('warehouse.duckdb') ? note() : undefined));
  const unwatch = [watchStore(world, note), () => warehouse.close()];
  const options: StartOptions = {
    watch: () => {
      begun = true;
      note();
    },
  };
  return {
    options,
    follow: (process) => (running = process),
    seen: () => seen,
    close: () => {
      for (const stop of unwatch) stop();
    },
  };
}

/** Files that are staged in a folder, or requests on their way to a bucket. @returns what ends it. */
function watchStore({ folder, bucket }: TestWorld, note: () => void): () => void {
  if (bucket) return bucket.proxy.watch(note);
  const staged = watch(join(folder, 'store', RESERVED_SEGMENT, 'tmp'), note);
  return () => staged.close();
}
