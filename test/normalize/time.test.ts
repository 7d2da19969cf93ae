import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryStore } from '../../src/store/memory.ts';
import { parseInstant, TIME_FORMS, TIME_RANGE, type TimeForm } from '../../src/time.ts';
import { bodyOf, EVENTS, landedPage, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** The time that the stage gives each record, by its position; records that are not there were refused. */
async function timesOf(sources: readonly string[], form: TimeForm): Promise<Map<number, number>> {
  const store = memoryStore();
  const records = sources.map((source, at) => `{"id":"${at}","updated_at":${source},"v":1}`);
  const definition = { ...EVENTS, version: [{ name: 'updated_at', form }, { name: 'v' }] as const };
  const page = await landedPage(store, 'p', bodyOf(records), definition);
  const { batch, quarantined } = await stage.normalize(store, [page], { definition });
  const rows = await stage.canonicalRows(store, batch);
  expect(rows.length + quarantined.length).toBe(sources.length);
  // The pass that orders and the pass that writes read the same time.
  const sightings = new Map((await stage.rows(store, batch.sightings)).map((row) => [Number(row['id']), Number(row['updated_at'])]));
  const times = new Map(rows.map((row) => [Number(row.id), row.time]));
  expect(times).toEqual(sightings);
  return times;
}

const parsed = (texts: readonly string[], form: TimeForm): Map<number, number> =>
  new Map(
    texts.flatMap((text, at) => {
      const micros = parseInstant(text, form);
      return micros === null ? [] : [[at, micros === 0 ? 0 : micros] as const];
    }),
  );

const byId = (times: Map<number, number>): [number, number][] => [...times].toSorted(([a], [b]) => a - b);

const two = (max: number) => fc.nat({ max }).map((n) => String(n).padStart(2, '0'));
const digits = (max: number) => fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: max }).map((all) => all.join(''));
/** Mostly times, and much that is nearly one. */
const iso = fc
  .record({
    year: fc.oneof(
      fc.constantFrom('0000', '0001', '1582', '1699', '1700', '1969', '1970', '2000', '2026', '2254', '2255', '9999'),
      digits(4).map((n) => n.padStart(4, '0')),
    ),
    month: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 12 }).map((n) => String(n).padStart(2, '0')) }, two(15)),
    day: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 31 }).map((n) => String(n).padStart(2, '0')) }, two(33)),
    between: fc.constantFrom('T', ' ', 'T', ' ', 't', ''),
    hour: fc.oneof({ weight: 5, arbitrary: two(23) }, two(25)),
    minute: fc.oneof({ weight: 5, arbitrary: two(59) }, two(62)),
    second: fc.oneof({ weight: 5, arbitrary: two(59).map((s) => `:${s}`) }, fc.constantFrom('', ':60', ':61', ':')),
    fraction: fc.oneof(
      fc.constant(''),
      digits(12).map((f) => `.${f}`),
      fc.constantFrom('.', '.1234567890123', ',5'),
    ),
    zone: fc.oneof(
      fc.constantFrom(
        '',
        'Z',
        'z',
        '+00',
        '-00:00',
        '+15:59',
        '-1559',
        '+16:00',
        '+5',
        '+05:3',
        ' UTC',
        ' +02:00',
        '+02:60',
        'Europe/Paris',
      ),
      fc
        .tuple(fc.constantFrom('+', '-'), two(16), fc.constantFrom('', ':', 'none'), two(61))
        .map(([s, h, c, m]) => (c === 'none' ? s + h : s + h + c + m)),
    ),
  })
  .map((t) => `${t.year}-${t.month}-${t.day}${t.between}${t.hour}:${t.minute}${t.second}${t.second === '' ? '' : t.fraction}${t.zone}`);

const ISO_ODDITIES = [
  '2026-11-20',
  'infinity',
  '-infinity',
  'epoch',
  'now',
  'today',
  '',
  '2026-11-20T10:00:00Z ',
  '2026-11-20T10:00:00Z\n',
  '２０２６-11-20T10:00:00Z',
  '2026-1-2T10:00:00Z',
  '12026-11-20T10:00:00Z',
  '-2026-11-20T10:00:00Z',
  '0044-03-15T10:00:00 (BC)',
  '0001-01-01T00:00:00Z',
  '1700-01-01T00:00:00Z',
  '1700-01-01T00:00:00+00:01',
  '1699-12-31T23:00:00-05:00',
  '2254-12-31T23:59:59.999999999999Z',
  '2255-01-01T00:00:00Z',
  '2255-01-01T00:00:00+00:01',
];

/** Around the range's ends, and anywhere. */
const epoch = fc
  .tuple(
    fc.constantFrom('', '-', '', '-', '+'),
    fc.oneof(
      digits(18),
      fc
        .integer({ min: -3, max: 3 })
        .chain((near) =>
          fc.constantFrom(...[TIME_RANGE.to, -TIME_RANGE.from].flatMap((edge) => [1, 1e3, 1e6].map((unit) => String(edge / unit + near)))),
        ),
      fc.integer({ min: 1_700_000_000, max: 1_900_000_000 }).map(String),
    ),
    fc.oneof(
      fc.constant(''),
      digits(13).map((f) => `.${f}`),
      fc.constantFrom('.', 'e3', 'E-2'),
    ),
  )
  .map((parts) => parts.join(''));

const forms: Record<TimeForm, fc.Arbitrary<string>> = { iso, 'epoch-s': epoch, 'epoch-ms': epoch, 'epoch-us': epoch };
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

describe('version times', () => {
  test.each(TIME_FORMS)('%s: SQL and TypeScript take the same texts for times, and for the same ones', async (form) => {
    await fc.assert(
      fc.asyncProperty(fc.array(forms[form], { minLength: 200, maxLength: 400 }), async (generated) => {
        const texts = form === 'iso' ? [...generated, ...ISO_ODDITIES] : generated;
        const times = await timesOf(
          texts.map((text) => JSON.stringify(text)),
          form,
        );
        expect(byId(times)).toEqual(byId(parsed(texts, form)));
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  test.each(['epoch-s', 'epoch-ms', 'epoch-us'] as const)('%s: a JSON number is taken by its digits, never by its double', async (form) => {
    await fc.assert(
      fc.asyncProperty(fc.array(forms[form], { minLength: 30, maxLength: 60 }), async (generated) => {
        const sources = generated.filter((source) => JSON_NUMBER.test(source));
        const [plain, fine] = [sources.filter((source) => !/\.\d{7}|e/i.test(source)), sources];
        // Apart, because one number of too many digits has the whole page read with care.
        for (const page of [plain, fine]) expect(byId(await timesOf(page, form))).toEqual(byId(parsed(page, form)));
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });
});
