import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRule, ruleSql } from '../../src/gate/rules.ts';
import type { QuarantinedRecord } from '../../src/manifest/documents.ts';
import type { Definition } from '../../src/normalize/definition.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bodyOf, contentHash, EVENTS, event, foreignPage, keysOf, landedPage, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const rule = (field: string, text: string): Definition['rules'][number] => {
  const parsed = parseRule(text);
  return { name: `${field}: ${text}`, field, passes: (value) => ruleSql(parsed, value) };
};
const RULED: Definition = { ...EVENTS, rules: [rule('amount', 'present and >= 0'), rule('currency', 'in USD, CAD')] };
const GOOD = event('good', { amount: 12.5, currency: 'USD' });

/** Normalizes one page of those records. */
async function normalize(records: readonly string[], definition = EVENTS, released: readonly string[] = []) {
  const store = memoryStore();
  const page = await landedPage(store, 'p', bodyOf(records), definition);
  const { batch, quarantined } = await stage.normalize(store, [page], { definition, released });
  return { batch, quarantined, rows: await stage.canonicalRows(store, batch) };
}

const bytesOf = (record: QuarantinedRecord): string => Buffer.from(record.body, 'base64').toString();
const times = (time: unknown): string => JSON.stringify({ id: 'x', updated_at: time, v: 1 });

describe('a record that may not enter', () => {
  test.each([
    ['without key', '{"updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', null],
    ['with a key that is null', '{"id":null,"updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', null],
    ['with an empty key', '{"id":"","updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', null],
    ['with an object as key', '{"id":{"a":1},"updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', '{"a":1}'],
    ['with an array as key', '{"id":["a"],"updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', '["a"]'],
    ['with a boolean as key', '{"id":true,"updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', 'true'],
    ['with a fraction as key', '{"id":1.0,"updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', '1.0'],
    ['whose key has other capitals', '{"ID":"a","updated_at":"2026-11-20T10:00:00Z","v":1}', 'key', null],
    ['that is a number', '7', 'record', '7'],
    ['that is a text', '"}{"', 'record', '"}{"'],
    ['that is null', 'null', 'record', 'null'],
    ['that is an array', '[{"id":"a"},[]]', 'record', '[{"id":"a"},[]]'],
    ['without time', '{"id":"x","v":1}', 'version', null],
    ['with infinity as time', times('infinity'), 'version', null],
    ['on a day that is none', times('2026-02-30T00:00:00Z'), 'version', null],
    ['with a date for its time', times('2026-11-20'), 'version', null],
    ['with an hour 24', times('2026-11-20T24:00:00Z'), 'version', null],
    ['with words for its time', times('yesterday'), 'version', null],
    ['with a number where a text is configured', times(1_763_769_723), 'version', null],
    ['before the year 1700', times('0001-01-01T00:00:00Z'), 'version', null],
    ['after the year 2254', times('2255-01-01T00:00:00Z'), 'version', null],
    ['without version', '{"id":"x","updated_at":"2026-11-20T10:00:00Z"}', 'version', null],
    ['with a fraction as version', '{"id":"x","updated_at":"2026-11-20T10:00:00Z","v":1.5}', 'version', null],
    ['with a version of 19 digits', '{"id":"x","updated_at":"2026-11-20T10:00:00Z","v":1000000000000000000}', 'version', null],
    ['with a word as version', '{"id":"x","updated_at":"2026-11-20T10:00:00Z","v":"one"}', 'version', null],
    ['with a lone surrogate', '{"id":"x","updated_at":"2026-11-20T10:00:00Z","v":1,"t":"a\\ud800"}', 'text', null],
    ['with a lone surrogate in a name', '{"id":"x","updated_at":"2026-11-20T10:00:00Z","v":1,"o":{"\\udfff":1}}', 'text', null],
    [
      'with a lone surrogate deeper than columns go',
      `{"id":"x","updated_at":"2026-11-20T10:00:00Z","v":1,"d":${'['.repeat(60)}"\\ud800"${']'.repeat(60)}}`,
      'text',
      null,
    ],
    [
      'with a lone surrogate among hundreds of names',
      `{"id":"x","updated_at":"2026-11-20T10:00:00Z","v":1,"o":{"first":"\\ud800",${Array.from({ length: 600 }, (_, at) => `"n${at}":1`).join(',')}}}`,
      'text',
      null,
    ],
  ])('%s is in quarantine with its bytes, and keeps out nobody else', async (_what, bad, expected, value) => {
    const { batch, quarantined, rows } = await normalize([event('a'), bad, event('b')]);
    expect(quarantined.map(bytesOf)).toEqual([bad]);
    expect(quarantined[0]).toMatchObject({
      rule: expected,
      value,
      id: contentHash(bad),
      stream: 'events',
      batch: batch.id,
      page: 'raw/v1/events/p.json.zst',
      position: 1,
      releasable: false,
    });
    expect(rows.map((row) => row.id).sort()).toEqual(['a', 'b']);
    expect(batch.counts).toMatchObject({ observations: 3, quarantined: 1, rows: 2 });
  });

  test('R13: the span leads to the very bytes on the page', async () => {
    const bad = '{"id": "",\r\n "updated_at":"2026-11-20T10:00:00Z", "v":1, "t":"é😀\u2028" }';
    const body = bodyOf([event('é'), `\n  ${bad}\n`, '7']);
    const store = memoryStore();
    const { quarantined } = await stage.normalize(store, [await landedPage(store, 'p', body)]);
    const onPage = quarantined.map(({ span }) => Buffer.from(body).subarray(span.start, span.end).toString());
    expect(onPage).toEqual(quarantined.map(bytesOf));
    expect(onPage.toSorted()).toEqual(['7', bad].toSorted());
  });

  test('R23: fails a rule: quarantine says which, with the value as it was written, and where it stands', async () => {
    const asText = '{"id":"t","updated_at":"2026-11-20T10:00:00Z","v":1,"amount":"12.50","currency":"USD"}';
    const absent = event('n', { currency: 'USD' });
    const odd = event('o', { amount: 1, currency: 'EUR\u2028' });
    const { quarantined, rows, batch } = await normalize([GOOD, asText, absent, odd], RULED);
    expect(quarantined.map((one) => [one.rule, one.value, one.position, one.releasable, one.key])).toEqual([
      ['amount: present and >= 0', '"12.50"', 1, true, ['prod', 't']],
      ['amount: present and >= 0', null, 2, true, ['prod', 'n']],
      ['currency: in USD, CAD', '"EUR\u2028"', 3, true, ['prod', 'o']],
    ]);
    expect(quarantined.map(bytesOf)).toEqual([asText, absent, odd]);
    expect(rows.map((row) => row.id)).toEqual(['good']);
    expect(batch.counts).toMatchObject({ observations: 4, quarantined: 3 });
  });

  test('R10, R23: does not change the schema, nor how the others are read', async () => {
    const bad = event('bad', { amount: 'twelve', currency: 'USD', extra: { deep: 1 }, nested: [1, 'x'] });
    const good = event('a', { amount: 1, currency: 'CAD', nested: [1] });
    const { batch, rows } = await normalize([good, bad, GOOD], RULED);
    const alone = await normalize([good, GOOD], RULED);
    expect(batch.schema).toEqual(alone.batch.schema);
    expect(batch.schema.fields.find((field) => field.name === 'amount')?.type).toEqual({ kind: 'decimal', precision: 18, scale: 1 });
    expect(rows).toEqual(expect.arrayContaining(alone.rows));
    expect(rows).toHaveLength(2);
  });

  test('R23: enters once its content is released, and then the schema holds it', async () => {
    const bad = event('bad', { amount: 'twelve', currency: 'USD' });
    const { batch, quarantined, rows } = await normalize([GOOD, bad], RULED, [contentHash(bad)]);
    expect(quarantined).toEqual([]);
    expect(new Map(rows.map((row) => [row.id, row.fields.get('amount')]))).toEqual(
      new Map([
        ['good', '12.5'],
        ['bad', '"twelve"'],
      ]),
    );
    expect(batch.schema.fields.find((field) => field.name === 'amount')?.type).toEqual({ kind: 'json' });
  });

  test('a release lets nothing in that has no key or no version', async () => {
    const bad = [event(''), times('never'), '7'];
    const { quarantined } = await normalize([GOOD, ...bad], RULED, bad.map(contentHash));
    expect(quarantined.map(bytesOf).sort()).toEqual(bad.toSorted());
  });

  test('R23: a rule sees a number digit for digit, though a double would not hold it', async () => {
    const amount = (id: string, source: string): string =>
      `{"id":"${id}","updated_at":"2026-11-20T10:00:00Z","v":1,"amount":${source},"currency":"USD"}`;
    const limit = { ...RULED, rules: [rule('amount', '>= 0 and < 1234567890123456.79')] };
    const { rows } = await normalize(
      [
        amount('below', '1234567890123456.78'),
        amount('at', '1234567890123456.79'),
        amount('tiny', '-1e-400'),
        amount('zero', '-0.0'),
        amount('just', '1234567890123456.7899999999999999999999'),
        amount('plain', '1.5'),
      ],
      limit,
    );
    expect(rows.map((row) => row.id).sort()).toEqual(['below', 'just', 'plain', 'zero']);
  });

  test('a batch of refused records alone is a batch without rows', async () => {
    const { batch, quarantined } = await normalize(['7', event('')]);
    expect(quarantined).toHaveLength(2);
    expect(batch).toMatchObject({ files: [], sightings: [], minTime: null, maxTime: null, counts: { observations: 2, rows: 0 } });
  });
});

describe('an odd record that may enter', () => {
  test('a record of 6 MB arrives whole', async () => {
    const large = event('large', { text: 'é"'.repeat(2_000_000) });
    expect(Buffer.byteLength(large)).toBeGreaterThan(6_000_000);
    const { rows } = await normalize([event('a'), large, event('b')]);
    // Compared outside the assertion: a report that shows how two texts of this size differ would take all memory.
    const arrived = rows.find((row) => row.id === 'large')?.fields.get('text') === JSON.stringify('é"'.repeat(2_000_000));
    expect(arrived).toBe(true);
    expect(rows).toHaveLength(3);
  });

  test('NUL, surrogate pairs as escapes and separators that JavaScript calls line ends arrive as they are', async () => {
    const text =
      '{"id":"a\\u0000","updated_at":"2026-11-20T10:00:00Z","v":1,"t":"\\u0000\\ud83d\\ude00","n\\u0000":1,"l":"\u2028\u2029\u0085","w":12345678901234567890.5}';
    const { rows } = await normalize([text, event('b', { l: '\u2028' })]);
    const found = rows.find((row) => row.id === 'a\0');
    expect(Object.fromEntries(found?.fields ?? [])).toEqual({
      t: '"\\u0000😀"',
      'n\0': '1',
      l: '"\u2028\u2029\u0085"',
      w: '12345678901234567890.5',
    });
  });

  test('keys are texts and whole numbers of any length, by their digits', async () => {
    const ids = ['7', '-12', '9007199254740993', '123456789012345678901234567890', '"7 "', '"0007"', '"null"', '"it\'s"'];
    const { rows, quarantined } = await normalize(ids.map((id) => `{"id":${id},"updated_at":"2026-11-20T10:00:00Z","v":1}`));
    expect(quarantined).toEqual([]);
    expect(rows.map((row) => row.id).sort()).toEqual(ids.map((id) => id.replaceAll('"', '')).sort());
  });

  test('R6: a field that bears the name of a configured constant does not take its place', async () => {
    const { rows, batch } = await normalize([
      '{"id":"a","environment":"sandbox","Environment":1,"updated_at":"2026-11-20T10:00:00Z","v":1}',
    ]);
    expect(Object.fromEntries(rows[0]?.fields ?? [])).toEqual({ environment: '"sandbox"', Environment: '1' });
    expect(batch.schema.overflow).toEqual(['Environment', 'environment']);
  });
});

describe('a page', () => {
  test('printed with line breaks inside its records, with a byte order mark before them, is read as any other', async () => {
    const records = [event('a', { o: { x: [1, 2] } }), event('b', { t: 'line\nbreak' })].map((one) => JSON.parse(one) as unknown);
    for (const pretty of [
      JSON.stringify({ data: records }, null, 2),
      JSON.stringify({ data: records }, null, '\t').replaceAll('\n', '\r\n'),
    ]) {
      const store = memoryStore();
      const page = await landedPage(store, 'p', `\ufeff${pretty}`);
      const foreign = await foreignPage(store, 'f', `\ufeff${JSON.stringify({ data: [{ ...(records[0] as object), id: 'c' }] }, null, 1)}`);
      const { batch } = await stage.normalize(store, [page, foreign]);
      const rows = await stage.canonicalRows(store, batch);
      expect(new Map(rows.map((row) => [row.id, Object.fromEntries(row.fields)]))).toEqual(
        new Map([
          ['a', { o: '{"x":[1,2]}' }],
          ['b', { t: '"line\\nbreak"' }],
          ['c', { o: '{"x":[1,2]}' }],
        ]),
      );
    }
  });

  test('R13: whose bytes are not those that its receipt names stops the batch, and is named', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', bodyOf([event('a')]));
    const other = await landedPage(store, 'q', bodyOf([event('b')]));
    const swapped = { ...page, object: other.object };
    await expect(stage.normalize(store, [other, swapped])).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining('raw/v1/events/p.json.zst') as unknown,
    });
    expect(await keysOf(store, 'curated/')).toEqual([]);
  });

  test('that breaks off within its compressed bytes stops the batch, and is named', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', bodyOf(Array.from({ length: 200 }, (_, at) => event(`id ${at}`))));
    const whole = (await store.get(page.object))?.body ?? Buffer.alloc(0);
    await store.create('raw/v1/events/cut.json.zst', whole.subarray(0, whole.length - 10));
    const broken = { ...page, key: 'raw/v1/events/cut.json.zst', object: 'raw/v1/events/cut.json.zst' };
    for (const one of [broken, { ...broken, measured: null }]) {
      await expect(stage.normalize(store, [one])).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringContaining('raw/v1/events/cut.json.zst') as unknown,
      });
    }
  });

  test('that is gone is named, and the stage works on afterwards', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', bodyOf([event('a')]));
    await expect(stage.normalize(store, [{ ...page, object: 'raw/v1/events/none.json.zst' }])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await stage.normalize(store, [page])).batch.counts.rows).toBe(1);
  });
});
