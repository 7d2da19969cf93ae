import { afterEach, beforeEach } from 'vitest';
import { type Bench, makeBench } from './support.ts';

/** A bench of its own for each test of the file: what is asked of it goes to that of the running test. */
export function freshBench(): Bench {
  let bench: Bench;
  beforeEach(async () => {
    bench = await makeBench();
  });
  afterEach(() => bench.close());
  return new Proxy({} as Bench, { get: (_, name: keyof Bench) => bench[name] });
}
