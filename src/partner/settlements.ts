import { DAY, HOUR, MINUTE } from '../time.ts';
import { Dice } from './dice.ts';
import { hex8, hits, mix } from './hash.ts';
import { idAt, placeOf } from './ids.ts';
import type { WorldOptions } from './options.ts';
import type { RecordSource } from './record-source.ts';
import { dateStamp, stamp } from './stamp.ts';
import { createTimeline, type Entry, type Slot } from './timeline.ts';
import { BANKS, CURRENCIES, FIRST_NAMES, LAST_NAMES, MERCHANTS } from './words.ts';

const SLOTS: readonly Slot[] = [
  { after: 0, share: 1 },
  { after: 15 * MINUTE, share: 0.5 },
  { after: 3 * HOUR, share: 0.2 },
  { after: 26 * HOUR, share: 0.1 },
  { after: 47 * HOUR, share: 0.02 },
];
const STATUSES = ['PENDING', 'PROCESSING', 'PAID', 'ADJUSTED', 'REVERSED'] as const;
const PREFIX = 'stl_';

/** What can be wrong with a settlement; the quality rules of the stream refuse each. */
const DEFECTS = ['amount missing', 'amount negative', 'amount not a number', 'currency not allowed'] as const;
type Defect = (typeof DEFECTS)[number];

/** Settlements of a payments vendor: one row a `vendor_txn_id`, the latest `updated_at` wins. */
export function createSettlements(world: WorldOptions): RecordSource {
  const seed = mix(world.seed, 0xb2);
  const timeline = createTimeline(world, { seed, volume: world.settlements, slots: SLOTS, sandboxShare: 0, twinShare: 0 });
  const idOf = (entry: Entry): string => idAt(PREFIX, seed, entry.bucket, entry.index);
  const defectOf = (entry: Entry): Defect | null =>
    hits(mix(entry.eventHash, 0xbad), world.badShare) ? (DEFECTS[entry.eventHash % 4] ?? null) : null;
  return {
    stream: 'settlements',
    timeline,
    keyOf: (entry) => [idOf(entry)],
    versionOf: (entry) => [stamp(entry.updatedAt)],
    refusalOf: defectOf,
    find: (id) => (id.startsWith(PREFIX) ? placeOf(PREFIX, seed, timeline, id) : null),
    textOf: (entry) => settlement(idOf(entry), entry, defectOf(entry), Math.floor((entry.updatedAt - world.start) / world.growEvery)),
  };
}

function settlement(id: string, entry: Entry, defect: Defect | null, growth: number): string {
  const event = new Dice(entry.eventHash);
  const update = new Dice(entry.hash);
  const currency = defect === 'currency not allowed' ? 'XXX' : event.pick(CURRENCIES);
  return `{"vendor_txn_id":"${id}","merchant_id":"mer_${hex8(event.below(220_000))}"${amount(update, defect)},"currency":"${currency}","status":"${STATUSES[entry.slot]}","updated_at":"${stamp(entry.updatedAt)}","created_at":"${stamp(entry.createdAt)}","payout_date":"${dateStamp(entry.createdAt + 2 * DAY)}","fees":${fees(update, growth)},"payee":${payee(event)},"lines":${lines(event)},"reference":"${reference(event)}"}`;
}

function amount(dice: Dice, defect: Defect | null): string {
  const value = `${dice.between(0, 4999)}.${dice.between(10, 99)}`;
  if (defect === 'amount missing') return '';
  if (defect === 'amount negative') return `,"amount":-${value}`;
  return defect === 'amount not a number' ? `,"amount":"${value} approx."` : `,"amount":${value}`;
}

function fees(dice: Dice, growth: number): string {
  const base = `{"processing":${dice.between(0, 89)}.${dice.between(10, 99)},"interchange":${dice.between(0, 29)}.${dice.between(10, 99)},"tax":${dice.between(0, 19)}.${dice.between(10, 99)}`;
  return growth >= 2
    ? `${base},"fx":{"rate":${dice.between(1, 19)}.${dice.between(100_000, 999_999)},"margin":0.0${dice.between(1, 9)}}}`
    : `${base}}`;
}

function payee(dice: Dice): string {
  return `{"name":"${dice.pick(MERCHANTS)}","contact":"${dice.pick(FIRST_NAMES)} ${dice.pick(LAST_NAMES)}","bank":"${dice.pick(BANKS)}","account":"****${dice.between(1000, 9999)}","routing":"${dice.between(100_000_000, 999_999_999)}"}`;
}

/** Two to eight lines bring a settlement to about 1.6 KB, the size that the vendor's volume was measured at. */
function lines(dice: Dice): string {
  let text = line(dice, 1);
  const count = 2 + dice.below(7);
  for (let number = 2; number <= count; number += 1) text += `,${line(dice, number)}`;
  return `[${text}]`;
}

function line(dice: Dice, number: number): string {
  return `{"line":${number},"order_id":"ord_${hex8(dice.next())}${hex8(dice.next())}","description":"${dice.pick(MERCHANTS)} / ${dice.between(1000, 9999)}","gross":${dice.between(0, 899)}.${dice.between(10, 99)},"net":${dice.between(0, 899)}.${dice.between(10, 99)},"captured_on":"2026-0${dice.between(1, 9)}-${dice.between(10, 27)}"}`;
}

function reference(dice: Dice): string {
  return `${hex8(dice.next())}${hex8(dice.next())}${hex8(dice.next())}${hex8(dice.next())}`;
}
