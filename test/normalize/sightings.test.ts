import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineRow } from '../../src/engine.ts';
import type { PageSource } from '../../src/normalize/batch.ts';
import type { Definition } from '../../src/normalize/definition.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bodyOf, type CanonicalRow, EVENTS, foreignPage, landedPage, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** With a rule, which every record keeps, all are judged by DuckDB. */
const JUDGED: Definition = { ...EVENTS, rules: [{ name: 'free: anything', field: 'free', passes: () => 'TRUE' }] };

interface Outcome {
  readonly sightings: readonly EngineRow[];
  readonly rows: readonly CanonicalRow[];
  readonly refused: readonly string[];
  readonly times: readonly (number | null)[];
}

interface Page {
  readonly records: readonly string[];
  readonly isForeign: boolean;
}

async function outcomeOf(definition: Definition, pages: readonly Page[]): Promise<Outcome> {
  const store = memoryStore();
  const sources: PageSource[] = [];
  for (const [at, { records, isForeign }] of pages.entries()) {
    const body = bodyOf(records);
    sources.push(isForeign ? await foreignPage(store, `p${at}.json`, body) : await landedPage(store, `p${at}`, body, definition));
  }
  const { batch, quarantined } = await stage.normalize(store, sources, { definition });
  const sightings = await stage.rows(store, batch.sightings);
  const rows = await stage.canonicalRows(store, batch);
  const placeOf = (row: EngineRow): string => JSON.stringify([row['_page'], Number(row['_position'])]);
  return {
    sightings: sightings.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)),
    rows: rows.toSorted((a, b) => (a.hash < b.hash ? -1 : 1)),
    refused: quarantined.map(({ rule, page, position }) => `${page} ${position} ${rule}`).sort(),
    times: [batch.minTime, batch.maxTime],
  };
}

const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('"a"', '"b"', '"é \\" \\u0041"', '7', '12345678901234567890') },
  { weight: 1, arbitrary: fc.constantFrom('""', 'null', '-5', '-0', '0', '1.5', '1e3', 'true', '{}', '[]', '" "', '"\\u0000"') },
);
const time = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('"2026-11-20T10:00:00Z"', '"2026-11-20T10:00:00.123456789Z"', '"2024-02-29T23:59:59.5Z"') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"2026-11-20 10:00+02"',
      '"2026-02-29T00:00:00Z"',
      '"1699-12-31T23:59:59Z"',
      '"1700-01-01T00:00:00Z"',
      '"2255-01-01T00:00:00Z"',
      '"2026-11-20T24:00:00Z"',
      '"2026-11-20T10:00:00.1234567890123Z"',
      '"2026-1a-20T10:00:00Z"',
      '"2026-11-20T10:00:0\\u0030Z"',
      'null',
      '5',
      '""',
    ),
  },
);
const version = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('1', '2', '"3"', '999999999999999999') },
  { weight: 1, arbitrary: fc.constantFrom('null', '-4', '"-0"', '"007"', '1.0', '1e2', '9999999999999999999', '"x"', '""', 'true', '[1]') },
);
const member = (name: string, value: string | null): string[] => (value === null ? [] : [`"${name}":${value}`]);
const record = fc
  .tuple(fc.option(key, { freq: 20 }), fc.option(time, { freq: 20 }), fc.option(version, { freq: 20 }), fc.boolean(), fc.nat({ max: 30 }))
  .map(([id, at, v, isTurned, twice]) => {
    const members = [...member('id', id), ...member('updated_at', at), ...member('v', v), '"x":{"y":[1]}'];
    if (twice === 0) members.push('"id":"twice"');
    return `{${(isTurned ? members.toReversed() : members).join(',')}}`;
  });

const page = fc.record({ records: fc.array(record, { minLength: 1, maxLength: 3 }), isForeign: fc.boolean() });

describe('sightings', () => {
  test('R7, R23: are the same whether the kernel makes them or DuckDB judges the records, landed or foreign', async () => {
    const taken = { plain: 0, mixed: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(page, { minLength: 1, maxLength: 3 }), async (pages) => {
        const outcome = await outcomeOf(EVENTS, pages);
        taken[outcome.refused.length === 0 ? 'plain' : outcome.sightings.length === 0 ? 'refused' : 'mixed']++;
        expect(outcome).toEqual(await outcomeOf(JUDGED, pages));
      }),
      { numRuns: 120 },
    );
    expect(Math.min(taken.plain, taken.mixed)).toBeGreaterThan(20);
    expect(taken.refused).toBeGreaterThan(0);
  });
});
