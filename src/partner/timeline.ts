import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import { SECOND } from '../time.ts';
import { fraction, hits, mix } from './hash.ts';
import type { Surge, VolumeOptions, WorldOptions } from './options.ts';

/**
 * When the records of one stream are. Time is cut into buckets; so and so many events begin in each, and an event is updated only at
 * the fixed distances of `Slot`. The records of any bucket are therefore found by looking at the few buckets where they can have
 * begun, and no list of them exists anywhere.
 */
export interface Timeline {
  readonly start: Micros;
  /** Width of a bucket. */
  readonly width: Micros;
  /** Buckets 0 to this, exclusive. */
  readonly buckets: number;
  /** Buckets between an event's first version and its last possible one. */
  readonly reach: number;
  bucketOf(instant: Micros): number;
  /** Events that begin in a bucket. */
  eventsIn(bucket: number): number;
  /** All records whose `updated_at` lies in a bucket, in the order in which they are listed. */
  entriesAt(bucket: number): Entry[];
  /** All records of one event id, in both environments, oldest first within each. */
  entriesOf(bucket: number, index: number): Entry[];
}

/** One version of one event: everything that its text is made of. */
export interface Entry {
  /** The bucket in which the event began, and its place there; together they are the event's id. */
  readonly bucket: number;
  readonly index: number;
  readonly environment: 0 | 1;
  /** Which of the fixed distances from its beginning. */
  readonly slot: number;
  /** 0, or 1 for the twin with the same `updated_at` and a higher `event_version`, or 2 for another content of the same version. */
  readonly copy: 0 | 1 | 2;
  /** Random bits of the event, the same in all its versions, and of this record. */
  readonly eventHash: number;
  readonly hash: number;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  /** The record is listed once the partner's clock has reached this. */
  readonly visibleAt: Micros;
}

export interface Slot {
  readonly after: Micros;
  /** Of the events, how many are updated then. The first slot is the first version: after 0, share 1. */
  readonly share: number;
}

export interface TimelineRecipe {
  readonly seed: number;
  readonly volume: VolumeOptions;
  readonly slots: readonly Slot[];
  readonly sandboxShare: number;
  readonly twinShare: number;
}

/** Wide enough for some hundred events, so that a bucket's fixed cost does not count; never wider than the smallest distances bear. */
const EVENTS_A_BUCKET = 256;
const NARROWEST: Micros = 10_000;
const WIDEST: Micros = 10 * SECOND;
const MOST_BUCKETS = 16 ** 8;
const MOST_EVENTS_A_BUCKET = 16 ** 4;

/** Salts: one for each thing that is drawn. */
const TIME = 1;
const TWIN = 2;
const RIVAL = 3;
const DELAY = 4;
const SANDBOX = 5;
const COPY = 16;

export function createTimeline(world: WorldOptions, recipe: TimelineRecipe): Timeline {
  const eventsPerSecond = recipe.volume.recordsPerSecond / recordsPerEvent(world, recipe);
  const width = widthFor(eventsPerSecond);
  const offsets = offsetsOf(recipe.slots, width);
  const buckets = Math.max(0, Math.ceil((world.end - world.start) / width));
  const bounds = { world, recipe, width, offsets, perBucket: (eventsPerSecond * width) / SECOND };
  requireNameable(bounds, buckets);
  const eventsIn = (bucket: number): number => (bucket < 0 || bucket >= buckets ? 0 : eventsBeginning(bounds, bucket));
  return {
    start: world.start,
    width,
    buckets,
    reach: offsets.at(-1) ?? 0,
    bucketOf: (instant) => Math.floor((instant - world.start) / width),
    eventsIn,
    entriesAt: (bucket) => entriesAt(bounds, eventsIn, bucket),
    entriesOf: (bucket, index) => entriesOf(bounds, bucket, index),
  };
}

interface Bounds {
  readonly world: WorldOptions;
  readonly recipe: TimelineRecipe;
  readonly width: Micros;
  /** Of each slot, in buckets; strictly rising. */
  readonly offsets: readonly number[];
  readonly perBucket: number;
}

/** An id has eight hexadecimal digits for the bucket and four for the event's place in it. */
function requireNameable(bounds: Bounds, buckets: number): void {
  const surge = bounds.recipe.volume.surges.reduce((product, { factor }) => product * Math.max(1, factor), 1);
  if (buckets < MOST_BUCKETS && bounds.perBucket * surge < MOST_EVENTS_A_BUCKET) return;
  throw new TidemarkError({
    code: 'CONFIG',
    message: `the partner's world has more events than its ids can name (${buckets} buckets, up to ${Math.ceil(bounds.perBucket * surge)} events in each)`,
    hint: 'Lower recordsPerSecond or the surge factors, or make the world shorter.',
  });
}

function recordsPerEvent(world: WorldOptions, recipe: TimelineRecipe): number {
  const updates = recipe.slots.reduce((sum, slot) => sum + slot.share, 0);
  return updates * (1 + recipe.twinShare + world.conflictShare) * (1 + recipe.sandboxShare);
}

function widthFor(eventsPerSecond: number): Micros {
  const wanted = Math.round((EVENTS_A_BUCKET / eventsPerSecond) * 1000) * 1000;
  return Math.min(WIDEST, Math.max(NARROWEST, wanted));
}

function offsetsOf(slots: readonly Slot[], width: Micros): readonly number[] {
  const offsets: number[] = [];
  for (const slot of slots) {
    const previous = offsets.at(-1);
    offsets.push(previous === undefined ? 0 : Math.max(previous + 1, Math.round(slot.after / width)));
  }
  return offsets;
}

function eventsBeginning(bounds: Bounds, bucket: number): number {
  const exact = bounds.perBucket * factorAt(bounds.recipe.volume.surges, bounds.world.start + bucket * bounds.width);
  const whole = Math.floor(exact);
  return whole + (hits(mix(mix(bounds.recipe.seed, bucket), SANDBOX), exact - whole) ? 1 : 0);
}

function factorAt(surges: readonly Surge[], instant: Micros): number {
  let factor = 1;
  for (const surge of surges) if (instant >= surge.from && instant < surge.to) factor *= surge.factor;
  return factor;
}

function entriesAt(bounds: Bounds, eventsIn: (bucket: number) => number, at: number): Entry[] {
  const found: Entry[] = [];
  for (let slot = bounds.offsets.length - 1; slot >= 0; slot -= 1) {
    const bucket = at - (bounds.offsets[slot] ?? 0);
    const count = eventsIn(bucket);
    const bucketHash = mix(bounds.recipe.seed, bucket);
    for (let index = 0; index < count; index += 1) addSlot(bounds, found, bucket, index, mix(bucketHash, index), slot);
  }
  return found.sort(inListOrder);
}

function entriesOf(bounds: Bounds, bucket: number, index: number): Entry[] {
  const found: Entry[] = [];
  const cell = mix(mix(bounds.recipe.seed, bucket), index);
  for (let slot = 0; slot < bounds.offsets.length; slot += 1) addSlot(bounds, found, bucket, index, cell, slot);
  return found;
}

/** By `updated_at`, then key, then version: the order that the API promises. */
function inListOrder(a: Entry, b: Entry): number {
  return (
    a.updatedAt - b.updatedAt ||
    a.bucket - b.bucket ||
    a.index - b.index ||
    a.environment - b.environment ||
    // A rival has its original's version, and so comes before the twin.
    (a.copy === 1 ? 1 : 0) - (b.copy === 1 ? 1 : 0) ||
    a.copy - b.copy
  );
}

function addSlot(bounds: Bounds, found: Entry[], bucket: number, index: number, cell: number, slot: number): void {
  const place = fraction(mix(cell, SANDBOX));
  const both = bounds.recipe.sandboxShare;
  if (place < both || place >= both * 1.5) addEntity(bounds, found, bucket, index, 0, mix(cell, 0), slot);
  if (place < both * 1.5) addEntity(bounds, found, bucket, index, 1, mix(cell, 1), slot);
}

function addEntity(
  bounds: Bounds,
  found: Entry[],
  bucket: number,
  index: number,
  environment: 0 | 1,
  eventHash: number,
  slot: number,
): void {
  const slotHash = mix(eventHash, slot);
  if (slot > 0 && !hits(slotHash, bounds.recipe.slots[slot]?.share ?? 0)) return;
  const updatedAt = timeOf(bounds, bucket + (bounds.offsets[slot] ?? 0), slotHash);
  if (updatedAt >= bounds.world.end) return;
  const createdAt = timeOf(bounds, bucket, mix(eventHash, 0));
  const add = (copy: 0 | 1 | 2): void => {
    const hash = mix(slotHash, COPY + copy);
    const visibleAt = updatedAt + delayOf(bounds.world, mix(hash, DELAY));
    found.push({ bucket, index, environment, slot, copy, eventHash, hash, createdAt, updatedAt, visibleAt });
  };
  add(0);
  if (hits(mix(slotHash, TWIN), bounds.recipe.twinShare)) add(1);
  if (hits(mix(slotHash, RIVAL), bounds.world.conflictShare)) add(2);
}

function timeOf(bounds: Bounds, bucket: number, slotHash: number): Micros {
  return bounds.world.start + bucket * bounds.width + (mix(slotHash, TIME) % bounds.width);
}

function delayOf(world: WorldOptions, draw: number): Micros {
  const { outOfOrder, late } = world;
  const share = fraction(draw);
  if (share < late.share) return Math.floor(outOfOrder.bound + (share / late.share) * (late.bound - outOfOrder.bound));
  const rest = share - late.share;
  return rest < outOfOrder.share ? Math.floor((rest / outOfOrder.share) * outOfOrder.bound) : 0;
}
