import type { Micros } from '../src/clock.ts';
import { Dice } from '../src/partner/dice.ts';
import { hex8, mix } from '../src/partner/hash.ts';
import { stamp } from '../src/partner/stamp.ts';
import { BRANDS, CHANNELS, COUNTRIES, CURRENCIES, DEVICES, FIRST_NAMES, LAST_NAMES, LEVELS, MERCHANTS } from '../src/partner/words.ts';

/** What one event of the workload is made of. */
export interface EventFacts {
  /** Random bits of the event, the same in all its versions, and of this version. */
  readonly eventHash: number;
  readonly hash: number;
  /** Of the event: its id follows from it. */
  readonly number: number;
  readonly version: number;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  readonly hasRisk: boolean;
  /** What is not as in other records. */
  readonly odd: Oddity | null;
}

export const ODDITIES = ['amount', 'trace', 'note'] as const;
type Oddity = (typeof ODDITIES)[number];

const TYPES = ['AUTHORIZED', 'CAPTURED', 'SETTLED', 'REFUNDED'];

export function eventText(facts: EventFacts): string {
  const { eventHash, number, version, createdAt, updatedAt } = facts;
  const event = new Dice(eventHash);
  const update = new Dice(facts.hash);
  return `{"event_id":"evt_${hex8(mix(number, 11))}${hex8(number)}","environment":"${environmentOf(eventHash)}","transaction_id":"txn_${hex8(mix(number >>> 2, 12))}${hex8(number >>> 2)}","event_type":"${event.pick(TYPES)}","event_version":${version},"updated_at":"${stamp(updatedAt)}","created_at":"${stamp(createdAt)}","payload":${payload(event, update, facts)}}`;
}

/** 6% are of the sandbox. */
const environmentOf = (eventHash: number): string => (eventHash % 100 < 6 ? 'sandbox' : 'prod');

function payload(event: Dice, update: Dice, { hasRisk, odd }: EventFacts): string {
  // More digits than a double holds.
  const amount = `${odd === 'amount' ? '900719925474099' : ''}${update.between(1, 2500)}.${update.between(10, 99)}`;
  const rate = `${update.between(1, 19)}.${update.between(1000, 9999)}`;
  return `{"amount":${amount},"currency":"${event.pick(CURRENCIES)}","exchange_rate":${rate},"customer":${customer(event)},"merchant":${merchant(event)},"card":${card(event)},"items":[${item(event)}],"metadata":${metadata(event, update, odd)}${hasRisk ? `,"risk":${risk(update)}` : ''}}`;
}

function customer(dice: Dice): string {
  const number = dice.below(8_000_000);
  return `{"id":"cus_${hex8(number)}","email":"wallet.${number}@mail${number % 9}.example","name":"${dice.pick(FIRST_NAMES)} ${dice.pick(LAST_NAMES)}","ip":"10.${dice.between(0, 255)}.${dice.between(0, 255)}.${dice.between(0, 255)}"}`;
}

const merchant = (dice: Dice): string =>
  `{"id":"mer_${hex8(dice.below(220_000))}","name":"${dice.pick(MERCHANTS)}","country":"${dice.pick(COUNTRIES)}","mcc":${4000 + dice.below(5000)}}`;

const card = (dice: Dice): string =>
  `{"brand":"${dice.pick(BRANDS)}","last4":"${dice.between(1000, 9999)}","expiry":"20${dice.between(27, 35)}-0${dice.between(1, 9)}"}`;

const item = (dice: Dice): string =>
  `{"sku":"SKU-${dice.between(100_000, 999_999)}","quantity":${dice.between(1, 5)},"unit_price":${dice.between(1, 300)}.${dice.between(10, 99)}}`;

/** Odd: an integer of more than 64 bits, an object where others have a text. */
const metadata = (event: Dice, update: Dice, odd: Oddity | null): string =>
  `{"channel":"${event.pick(CHANNELS)}","trace":${update.next()}${odd === 'trace' ? '00000000000001' : ''},"note":${noteOf(event, odd)},"device":{"os":"${event.pick(DEVICES)}","version":"${event.between(0, 17)}.${event.between(0, 9)}"}}`;

function noteOf(event: Dice, odd: Oddity | null): string {
  const isThere = event.below(8) === 0;
  if (odd === 'note') return '{"text":"línea B","lang":"es"}';
  return isThere ? '"línea \\"A\\"\\n✓"' : 'null';
}

const risk = (dice: Dice): string =>
  `{"score":${dice.below(1000) / 1000},"level":"${dice.pick(LEVELS)}","rules":["r${dice.between(0, 39)}","r${dice.between(0, 39)}"]}`;
