import { HOUR, MINUTE, SECOND } from '../time.ts';
import { Dice } from './dice.ts';
import { hex8, mix } from './hash.ts';
import { idAt, placeOf } from './ids.ts';
import type { WorldOptions } from './options.ts';
import type { RecordSource } from './record-source.ts';
import { stamp } from './stamp.ts';
import { createTimeline, type Entry, type Slot, type Timeline } from './timeline.ts';
import { BRANDS, CHANNELS, COUNTRIES, CURRENCIES, DEVICES, FIRST_NAMES, LAST_NAMES, LEVELS, MERCHANTS } from './words.ts';

const SLOTS: readonly Slot[] = [
  { after: 0, share: 1 },
  { after: 7 * SECOND, share: 0.25 },
  { after: 90 * SECOND, share: 0.12 },
  { after: 20 * MINUTE, share: 0.08 },
  { after: 1.9 * HOUR, share: 0.04 },
  { after: 26 * HOUR, share: 0.03 },
  { after: 47 * HOUR, share: 0.01 },
];
const ENVIRONMENTS = ['prod', 'sandbox'] as const;
const PREFIX = 'evt_';

/** Events of a banking partner: `event_id` is reused between the environments, `event_version` rises with gaps. */
export function createPayments(world: WorldOptions): RecordSource {
  const seed = mix(world.seed, 0xa1);
  const { sandboxShare, twinShare } = world;
  const timeline = createTimeline(world, { seed, volume: world.payments, slots: SLOTS, sandboxShare, twinShare });
  const idOf = (entry: Entry): string => idAt(PREFIX, seed, entry.bucket, entry.index);
  return {
    stream: 'payments',
    timeline,
    keyOf: (entry) => [ENVIRONMENTS[entry.environment], idOf(entry)],
    versionOf: (entry) => [stamp(entry.updatedAt), versionNumber(entry)],
    refusalOf: () => null,
    find: (id) => (id.startsWith(PREFIX) ? placeOf(PREFIX, seed, timeline, id) : null),
    textOf: (entry) =>
      `{"event_id":"${idOf(entry)}","environment":"${ENVIRONMENTS[entry.environment]}",${transaction(timeline, seed, entry)},"event_version":${versionNumber(entry)},"updated_at":"${stamp(entry.updatedAt)}","created_at":"${stamp(entry.createdAt)}","payload":${payload(entry, Math.floor((entry.updatedAt - world.start) / world.growEvery))}}`,
  };
}

/** Four numbers for each slot: versions rise from slot to slot, a twin's is higher than its original's, and most numbers are skipped. */
function versionNumber(entry: Entry): number {
  return entry.slot * 4 + 1 + (entry.eventHash & 1) + (entry.copy === 1 ? 2 : 0);
}

/**
 * An event's type follows from its place modulo 8: 0–3 authorize, 4–5 capture, 6 settles, 7 refunds. A later event belongs to the
 * transaction that began so many buckets before it, a distance whose remainder modulo 8 always leads back to an authorization. So
 * each transaction has each type at most once, and `event_version` rises within (transaction_id, event_type).
 */
const TYPES = ['AUTHORIZED', 'AUTHORIZED', 'AUTHORIZED', 'AUTHORIZED', 'CAPTURED', 'CAPTURED', 'SETTLED', 'REFUNDED'] as const;
const LAGS = [0, 0, 0, 0, 4 + 8, 4 + 8, 6 + 8 * 12, 7 + 8 * 80] as const;

function transaction(timeline: Timeline, seed: number, entry: Entry): string {
  const place = (entry.bucket + entry.index) % 8;
  const origin = entry.bucket - (LAGS[place] ?? 0);
  const bucket = entry.index < timeline.eventsIn(origin) ? origin : entry.bucket;
  const prefix = entry.environment === 0 ? 'txn_' : 'txn_test_';
  return `"transaction_id":"${idAt(prefix, mix(seed, 1), bucket, entry.index)}","event_type":"${TYPES[place]}"`;
}

/** What does not change between an event's versions is drawn from the event, the rest from the record. */
function payload(entry: Entry, growth: number): string {
  const event = new Dice(entry.eventHash);
  const update = new Dice(entry.hash);
  return `{"amount":${amount(update)},"currency":"${event.pick(CURRENCIES)}","exchange_rate":${rate(update)},"customer":${customer(event)},"merchant":${merchant(event, growth)},"card":${card(event, growth)},"items":${items(event)}${growth >= 2 ? risk(update) : ''},"metadata":${metadata(event, update, growth)}}`;
}

/** One in a thousand has twenty digits: more than a double or a 64-bit integer of cents bears. */
function amount(dice: Dice): string {
  const cents = dice.between(10, 99);
  return dice.below(1000) === 0 ? `1234567890${dice.between(10_000_000, 99_999_999)}.${cents}` : `${dice.between(1, 2500)}.${cents}`;
}

function rate(dice: Dice): string {
  return dice.below(500) === 0
    ? `0.${dice.between(1_000_000_000, 3_999_999_999)}${dice.between(1_000_000_000, 3_999_999_999)}`
    : `${dice.between(1, 19)}.${dice.between(1000, 9999)}`;
}

function customer(dice: Dice): string {
  const first = dice.pick(FIRST_NAMES);
  const number = dice.below(8_000_000);
  return `{"id":"cus_${hex8(number)}","email":"wallet.${number}@mail${number % 9}.example","name":"${first} ${dice.pick(LAST_NAMES)}","ip":"10.${dice.between(0, 255)}.${dice.between(0, 255)}.${dice.between(0, 255)}"}`;
}

function merchant(dice: Dice, growth: number): string {
  const mcc = 4000 + dice.below(5000);
  return `{"id":"mer_${hex8(dice.below(220_000))}","name":"${dice.pick(MERCHANTS)}","country":"${dice.pick(COUNTRIES)}","mcc":${growth >= 3 ? `"${mcc}"` : mcc}}`;
}

function card(dice: Dice, growth: number): string {
  const base = `{"brand":"${dice.pick(BRANDS)}","last4":"${dice.between(1000, 9999)}","expiry":"20${dice.between(27, 35)}-0${dice.between(1, 9)}"`;
  return growth >= 3 ? `${base},"wallet":"${dice.below(2) === 0 ? 'apple_pay' : 'google_pay'}"}` : `${base}}`;
}

function items(dice: Dice): string {
  const first = item(dice);
  return dice.below(3) === 0 ? `[${first},${item(dice)}]` : `[${first}]`;
}

function item(dice: Dice): string {
  return `{"sku":"SKU-${dice.between(100_000, 999_999)}","quantity":${dice.between(1, 5)},"unit_price":${dice.between(1, 300)}.${dice.between(10, 99)}}`;
}

function risk(dice: Dice): string {
  return `,"risk":{"score":${dice.below(1000) / 1000},"level":"${dice.pick(LEVELS)}","rules":["r${dice.between(0, 39)}","r${dice.between(0, 39)}"]}`;
}

/** `trace` is beyond 2^53 in one record of two hundred. */
function metadata(event: Dice, update: Dice, growth: number): string {
  const trace = update.below(200) === 0 ? `90071992547409${update.between(10, 99)}1` : String(update.next());
  const base = `{"channel":"${event.pick(CHANNELS)}","trace":${trace},"note":${event.below(8) === 0 ? '"línea \\"A\\"\\n✓"' : 'null'},"device":{"os":"${event.pick(DEVICES)}","version":"${event.between(0, 17)}.${event.between(0, 9)}"}`;
  return `${base}${growth >= 1 ? `,"campaign":"c${event.between(0, 49)}"` : ''}${extras(growth)}}`;
}

/** From the fourth step on, each brings one more field. */
function extras(growth: number): string {
  let text = '';
  for (let step = 4; step <= growth; step += 1) text += `,"extra_${step}":${step % 2 === 0 ? step : `"${step}"`}`;
  return text;
}
