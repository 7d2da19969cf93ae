import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestSql, type Observation, observationDigest, rootOf, rootOfDigests } from '../../src/certify/root.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import { literal } from '../../src/sql.ts';

let engine: Engine;
const folder = mkdtempSync(join(tmpdir(), 'tidemark-root-'));
beforeAll(async () => {
  engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 256 << 20, tempDirectory: folder });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Few distinct values, so that repetitions and near-collisions are the rule; parts that hold what joins them. */
const part = fc.oneof(fc.constantFrom('a', 'ab', 'b', '1:a', '', ':', 'é', '\u{1f600}'), fc.string({ maxLength: 4, unit: 'grapheme' }));
const observation = fc.record({
  key: fc.tuple(part, part),
  version: fc.tuple(fc.integer({ min: -5, max: 5 }).map(String), fc.bigInt({ min: -3n, max: 10n ** 18n - 1n }).map(String)),
  contentHash: fc.constantFrom('00', '0f', 'ff'),
});

/** The same set as the program takes it: rows of DuckDB, distinct, in shares. */
async function rootByEngine(observations: readonly Observation[], atOnce: number): Promise<string> {
  const rows = observations.map(
    ({ key, version, contentHash }) =>
      `(${[...key.map(literal), ...version.map((v) => `CAST(${v} AS BIGINT)`), literal(contentHash)].join(', ')})`,
  );
  const source =
    rows.length === 0 ? "(SELECT '' k0, '' k1, 0 v0, 0 v1, '' h WHERE false)" : `(VALUES ${rows.join(', ')}) o(k0, k1, v0, v1, h)`;
  await engine.run(`CREATE OR REPLACE TABLE digests AS SELECT DISTINCT ${digestSql(['k0', 'k1', 'v0', 'v1', 'h'])} AS d FROM ${source}`);
  return rootOfDigests(engine, 'FROM digests', observations.length, atOnce);
}

describe('R13: the root of an hour', () => {
  test('is the same in whatever order, however often and in however many parts its observations come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(observation, { maxLength: 30 }),
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 1, max: 40 }),
        async (all, dice, atOnce) => {
          const shuffled = all
            .flatMap((one) => Array.from({ length: 1 + ((dice.next().value ?? 0) % 3) }, () => ({ one, at: dice.next().value ?? 0 })))
            .sort((a, b) => a.at - b.at)
            .map(({ one }) => one);
          const root = rootOf(all);
          expect(rootOf(shuffled)).toBe(root);
          expect(await rootByEngine(shuffled, atOnce)).toBe(root);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('is another one for every other set of observations', () => {
    const identity = ({ key, version, contentHash }: Observation): string => JSON.stringify([key, version, contentHash]);
    const setOf = (all: readonly Observation[]): string => JSON.stringify([...new Set(all.map(identity))].sort());
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 4 }), fc.array(observation, { maxLength: 4 }), (one, other) => {
        expect(rootOf(one) === rootOf(other)).toBe(setOf(one) === setOf(other));
      }),
      { numRuns: 2000 },
    );
  });

  test('tells parts apart wherever one ends and the next begins', () => {
    const digest = (...key: string[]): string => observationDigest({ key, version: ['1'], contentHash: '00' });
    expect(new Set([digest('ab', 'c'), digest('a', 'bc'), digest('abc', ''), digest('', 'abc'), digest('a1:b', 'c')]).size).toBe(5);
  });

  test('is what anybody can make from its description with common tools', () => {
    // printf '4:prod5:evt_116:17639712000000001:34:c0de' | sha256sum | cut -c1-64 | tr -d '\n' | sha256sum
    const one = { key: ['prod', 'evt_1'], version: ['1763971200000000', '3'], contentHash: 'c0de' };
    expect(rootOf([one])).toBe('3d105dd3b16fc206c4aeae663ef26238dcfdd56dbc87cc00ec131546771f2206');
  });
});
