import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CIRCUIT,
  type CircuitEvent,
  type CircuitState,
  createCircuit,
  mostProbes,
  nextState,
  probeWaitMs,
} from '../../src/fetch/circuit.ts';
import { listDeadLetters } from '../../src/fetch/dead-letter.ts';
import { silentLog } from '../../src/log.ts';
import { listIncidents } from '../../src/manifest/incidents.ts';
import { trackIncidents } from '../../src/pipeline/incident.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { type Bench, benchFor, honestly, rows, virtualClock } from './fixture.ts';

describe('the circuit, as a state machine', () => {
  test('it opens after failures in a row, sends one probe at a time, and closes with an answer', () => {
    const follow = (...events: CircuitEvent[]): CircuitState => events.reduce<CircuitState>(nextState, 'closed');
    expect(follow('failure', 'answer')).toBe('closed');
    expect(follow('failures')).toBe('open');
    expect(follow('failures', 'answer', 'failure')).toBe('open');
    expect(follow('failures', 'due')).toBe('probing');
    expect(follow('failures', 'due', 'failure')).toBe('open');
    expect(follow('failures', 'due', 'answer')).toBe('closed');
  });

  test('waits between probes grow to their ceiling, never beyond, and never below what the partner asked for', () => {
    fc.assert(
      fc.property(
        fc.nat(60),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.option(fc.nat(3_600_000)),
        (failed, random, floor) => {
          const wait = probeWaitMs(failed, CIRCUIT, random, floor);
          expect(wait).toBeGreaterThanOrEqual(Math.min(floor ?? 0, 15 * 60_000));
          expect(wait).toBeLessThanOrEqual(Math.max(CIRCUIT.longestMs, Math.min(floor ?? 0, 15 * 60_000)));
        },
      ),
    );
  });
});

describe('R14: a brownout', () => {
  test('of any length costs a bounded number of requests, and is over within one wait after the source is back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1_000, max: 7_200_000 }), fc.integer(), async (lengthMs, seed) => {
        const clock = virtualClock();
        let draws = seed >>> 0;
        const random = (): number => (draws = (draws * 1_664_525 + 1_013_904_223) >>> 0) / 2 ** 32;
        const circuit = createCircuit('http://partner', CIRCUIT, { clock, random });
        let requests = 0;
        const isAway = (): boolean => clock.monotonicMs() < lengthMs;
        const probe = async () => {
          requests += 1;
          return isAway() ? ({ answered: false, reason: 'status 503', retryAfterMs: null } as const) : ({ answered: true } as const);
        };
        for (let i = 0; i < CIRCUIT.failures; i++) {
          requests += 1;
          circuit.failed('status 503', null);
        }
        expect(await circuit.wait({ probe, patienceMs: Number.POSITIVE_INFINITY })).toBe(requests > CIRCUIT.failures + 1);
        expect(requests).toBeLessThanOrEqual(CIRCUIT.failures + mostProbes(lengthMs, CIRCUIT));
        expect(clock.monotonicMs() - lengthMs).toBeLessThanOrEqual(CIRCUIT.longestMs);
      }),
      { numRuns: 200 },
    );
    expect(mostProbes(40 * 60_000, CIRCUIT)).toBeLessThan(60);
  });

  test('ends the patience of a window in time, with what is known and what to do', async () => {
    const clock = virtualClock();
    const circuit = createCircuit('http://partner', CIRCUIT, { clock, random: () => 0.5 });
    for (let i = 0; i < CIRCUIT.failures; i++) circuit.failed('status 503', null);
    const probe = async () => ({ answered: false, reason: 'status 503', retryAfterMs: null }) as const;
    const given = circuit.wait({ probe, patienceMs: 15_000 });
    await expect(given).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      transient: true,
      message: expect.stringMatching(/http:\/\/partner does not answer since .*, \d+ requests failed: status 503/),
      hint: expect.stringMatching(/the next run goes on from there/),
    });
    expect(clock.monotonicMs()).toBeLessThanOrEqual(15_000);
  });

  test('is asked by one probe at a time, however many wait', async () => {
    const clock = virtualClock();
    const circuit = createCircuit('http://partner', CIRCUIT, { clock, random: () => 0.5 });
    for (let i = 0; i < CIRCUIT.failures; i++) circuit.failed('reset', null);
    let [running, most, count] = [0, 0, 0];
    const probe = async () => {
      most = Math.max(most, (running += 1));
      for (let i = 0; i < 10; i++) await Promise.resolve();
      running -= 1;
      return (count += 1) < 4 ? ({ answered: false, reason: 'reset', retryAfterMs: null } as const) : ({ answered: true } as const);
    };
    await Promise.all(Array.from({ length: 8 }, () => circuit.wait({ probe, patienceMs: 3_600_000 })));
    expect({ most, count }).toEqual({ most: 1, count: 4 });
  });

  test('goes on where the waits had got to, where the source fails again at once', async () => {
    const clock = virtualClock();
    const circuit = createCircuit('http://partner', CIRCUIT, { clock, random: () => 0.5 });
    const waits: number[] = [];
    const outage = async (failing: number): Promise<void> => {
      for (let i = 0; i < CIRCUIT.failures; i++) circuit.failed('status 503', null);
      let left = failing;
      let last = clock.monotonicMs();
      const probe = async () => {
        waits.push(clock.monotonicMs() - last);
        last = clock.monotonicMs();
        return left-- > 0 ? ({ answered: false, reason: 'status 503', retryAfterMs: null } as const) : ({ answered: true } as const);
      };
      await circuit.wait({ probe, patienceMs: Number.POSITIVE_INFINITY });
    };
    await outage(3);
    await outage(0);
    expect(waits.at(-1)).toBe(waits.at(-2));
    await clock.sleep(10 * 60_000);
    await outage(0);
    expect(waits.at(-1)).toBe(waits[0]);
  });
});

interface Away {
  readonly bench: Bench;
  readonly run: () => Promise<string[]>;
  readonly tracker: ReturnType<typeof trackIncidents>;
}

/** A source of 60 records that answers 503 to everything for a while, from its third request on. */
async function awayFor(ms: number, attempts = 6): Promise<Away> {
  const records = rows(60);
  let away: { since: number } | null = null;
  const bench: Bench = await benchFor(
    (request) => {
      if (request.count === 3) away = { since: bench.clock.monotonicMs() };
      const isAway = away !== null && bench.clock.monotonicMs() < away.since + ms;
      return isAway ? { status: 503 } : { body: honestly(records, request) };
    },
    { attempts },
  );
  const { effects } = bench;
  const circuit = createCircuit('http://partner', { ...CIRCUIT, failures: Math.min(CIRCUIT.failures, attempts) }, effects);
  const tracker = trackIncidents('payments', circuit, { ...effects, log: silentLog });
  const stream = { ...bench.stream, source: { ...bench.stream.source, circuit: { ...CIRCUIT, patienceMs: 4 * 3_600_000 } } };
  const run = async (): Promise<string[]> => {
    Object.assign(bench.stream.source, stream.source);
    const fetched = await bench.run({ effects: { circuit: tracker.circuit } });
    expect(fetched.manifest.gaps).toEqual([]);
    return bench.idsOf(fetched);
  };
  return { bench, run, tracker };
}

describe('R14: a window that is caught by a brownout', () => {
  test.for([1, 2, 6])('waits, uses up no attempt of its pages (%i each), and misses nothing', async (attempts) => {
    const { bench, run } = await awayFor(40 * 60_000, attempts);
    expect(new Set(await run()).size).toBe(60);
    expect(await listDeadLetters(bench.store, 'payments', 'all')).toEqual([]);
    expect(bench.server.requests.length).toBeLessThanOrEqual(6 + attempts + 1 + mostProbes(40 * 60_000, CIRCUIT) + 1);
  });

  test('makes one incident, with a beginning, an end and what it cost', async () => {
    const { bench, run, tracker } = await awayFor(40 * 60_000);
    const begun = bench.clock.now();
    await run();
    tracker.noteFreshness(begun - HOUR);
    await tracker.committed();
    expect(await listIncidents(bench.store, 'payments', 5)).toMatchObject([{ end: null, incident: { reason: 'status 503' } }]);
    // Answers alone do not end it: the next failure would be another one.
    await bench.clock.sleep(6 * 60_000);
    await tracker.committed();
    const [entry, ...others] = await listIncidents(bench.store, 'payments', 5);
    expect(others).toEqual([]);
    const failed = bench.server.requests.length - 6 - 1;
    expect(entry?.end).toMatchObject({ failedRequests: failed, windows: [expect.stringMatching(/^20261120T100000Z_/)] });
    expect(entry?.end?.probes).toBe(failed - CIRCUIT.failures);
    const lasted = (entry?.end?.end ?? 0) - (entry?.incident.begin ?? 0);
    expect(lasted).toBeGreaterThan(39 * MINUTE);
    expect(lasted).toBeLessThan(43 * MINUTE);
    expect(entry?.end?.worstFreshness).toBeGreaterThan(HOUR + 39 * MINUTE);
  });

  test('leaves the incident to the next process: one that dies says nothing, one that ends says what it saw', async () => {
    const { bench, tracker, run } = await awayFor(40 * 60_000);
    Object.assign(bench.stream.source, { circuit: { ...CIRCUIT, patienceMs: 15_000 } });
    const failing = bench.run({ effects: { circuit: tracker.circuit } });
    await expect(failing).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    await tracker.close();
    await bench.clock.sleep(3_600_000);
    const heir = trackIncidents('payments', createCircuit('http://partner', CIRCUIT, bench.effects), { ...bench.effects, log: silentLog });
    await run();
    await heir.committed();
    const [entry, ...others] = await listIncidents(bench.store, 'payments', 5);
    expect(others).toEqual([]);
    expect(entry?.end?.failedRequests).toBeGreaterThan(CIRCUIT.failures);
    expect(entry?.end?.probes).toBeGreaterThan(0);
  });
});

test('a page that nobody can have is not taken for a source that is away: it goes to dead letter, without an incident', async () => {
  const records = rows(60);
  const bench = await benchFor(
    (request) => {
      const body = honestly(records, request);
      return body.data.some(({ event_id }) => event_id === 'e35') ? { status: 500 } : { body };
    },
    { attempts: 6 },
  );
  const circuit = createCircuit('http://partner', CIRCUIT, bench.effects);
  const tracker = trackIncidents('payments', circuit, { ...bench.effects, log: silentLog });
  const fetched = await bench.run({ effects: { circuit: tracker.circuit } });
  expect(new Set(await bench.idsOf(fetched)).size).toBe(59);
  expect(fetched.manifest.gaps.length).toBe(1);
  expect(await listIncidents(bench.store, 'payments', 5)).toEqual([]);
});
