import type { Micros } from '../../src/clock.ts';
import { signed } from '../../src/partner/pusher.ts';
import type { RecordSource } from '../../src/partner/record-source.ts';
import type { Entry } from '../../src/partner/timeline.ts';
import type { createApp } from '../../src/serve/app.ts';
import type { Stream } from '../../src/stream.ts';
import { MINUTE, SECOND } from '../../src/time.ts';
import type { Dice } from './dice.ts';
import type { SimulatedProcess } from './process.ts';
import { type PushedItem, unlistedKey, unlistedVersion } from './pushed-truth.ts';
import { type Scheduler, Violation } from './scheduler.ts';

export const PUSH_SECRET = 'whsec-simulated';
/** How far apart the partner and a listener may be by the configuration; clocks and waiting together stay below. */
export const PUSH_TOLERANCE: Micros = 20 * MINUTE;

interface Delivery {
  readonly id: string;
  readonly path: string;
  readonly body: Buffer;
  isTaken: boolean;
}

/** As the HTTP server hands a request over, in the process that serves it. */
interface Listening {
  readonly process: SimulatedProcess;
  readonly app: ReturnType<typeof createApp>;
}

const PATIENCE: Micros = 20 * SECOND;
const MOST_DELIVERIES = 8;

/** The partner as one that pushes: what it delivers in bursts, again until it is taken, sometimes twice, sometimes by another's hand. */
export class Pusher {
  /** Whoever takes pushes now; who is dead is passed over. */
  readonly listening = new Set<Listening>();
  readonly #scheduler: Scheduler;
  readonly #dice: Dice;
  readonly #deliveries: Delivery[] = [];
  readonly #unlisted = new Map<string, PushedItem[]>();

  constructor(scheduler: Scheduler, dice: Dice) {
    this.#scheduler = scheduler;
    this.#dice = dice;
  }

  /** What only pushes bring, among what was sent so far. */
  unlisted(stream: string): readonly PushedItem[] {
    return this.#unlisted.get(stream) ?? [];
  }

  get isDone(): boolean {
    return this.#deliveries.every(({ isTaken }) => isTaken);
  }

  /** Sends what is not taken yet. */
  sendRest(): void {
    for (const delivery of this.#deliveries) if (!delivery.isTaken) this.#send(delivery);
  }

  /** Some of what has become visible of late, in deliveries of one to three records, in any order. */
  burst(stream: Stream, source: RecordSource, since: Micros): void {
    const entries = visible(source, since, this.#scheduler.now());
    const count = Math.min(entries.length, this.#dice.between(1, MOST_DELIVERIES));
    for (let n = 0; n < count; n++) {
      const chosen = Array.from({ length: this.#dice.between(1, 3) }, () => entries[this.#dice.between(0, entries.length - 1)]);
      const texts = chosen.flatMap((entry) => (entry ? this.#textsOf(stream, source, entry) : []));
      const id = `${stream.name}-${this.#deliveries.length}`;
      const delivery = { id, path: stream.listen?.path ?? '', body: Buffer.from(texts.join('\n')), isTaken: false };
      this.#deliveries.push(delivery);
      this.#scheduler.at(this.#scheduler.now() + this.#dice.between(0, 60) * SECOND, () => this.#send(delivery));
    }
  }

  /** The record, and now and then one of its kind that no list shows. */
  #textsOf(stream: Stream, source: RecordSource, entry: Entry): string[] {
    const extra = this.#dice.chance(0.3) ? unlistedVersion(source, entry) : this.#dice.chance(0.3) ? unlistedKey(source, entry) : null;
    if (extra === null || source.refusalOf(entry) !== null) return [source.textOf(entry)];
    const known = this.#unlisted.get(stream.name) ?? [];
    this.#unlisted.set(stream.name, [...known, extra]);
    return [source.textOf(entry), extra.body];
  }

  #send(delivery: Delivery): void {
    const { process, app } = this.#choose() ?? {};
    if (!process || !app) return;
    const isForged = this.#dice.chance(0.1);
    const sentAt = this.#scheduler.now();
    const headers = {
      ...signed(isForged ? 'another' : PUSH_SECRET, delivery.body, Math.floor(sentAt / SECOND)),
      'x-delivery-id': delivery.id,
    };
    let isAnswered = false;
    const answered = async (): Promise<void> => {
      const { status } = await app.request(delivery.path, { method: 'POST', headers, body: new Uint8Array(delivery.body) });
      isAnswered = true;
      this.#scheduler.note('push', `${delivery.id} to ${process.name}${isForged ? ', forged' : ''} → ${status}`, status !== 200);
      this.#answered(delivery, status, isForged, sentAt);
    };
    answered().catch((error: unknown) => (this.#scheduler.failure ??= error));
    this.#scheduler.at(sentAt + PATIENCE, () => {
      if (!isAnswered && !delivery.isTaken) this.#again(delivery);
    });
  }

  #choose(): Listening | undefined {
    const able = [...this.listening].filter(({ process }) => process.state !== 'dead');
    return able[this.#dice.between(0, able.length - 1)];
  }

  #answered(delivery: Delivery, status: number, isForged: boolean, sentAt: Micros): void {
    // A frozen listener looks at it only when it wakes.
    const isLate = this.#scheduler.now() - sentAt > PUSH_TOLERANCE / 2;
    const allowed = isForged ? [401, 503] : [200, 503, ...(isLate ? [401] : [])];
    if (!allowed.includes(status)) throw new Violation(`R26: ${isForged ? 'a forged' : 'a'} push is answered ${status}`);
    const isLost = this.#dice.chance(0.15);
    if (status === 200 && !isLost) delivery.isTaken = true;
    if (!delivery.isTaken || this.#dice.chance(0.15)) this.#again(delivery);
  }

  #again(delivery: Delivery): void {
    this.#scheduler.at(this.#scheduler.now() + this.#dice.spread(1, 30) * SECOND, () => this.#send(delivery));
  }
}

function visible({ timeline }: RecordSource, since: Micros, now: Micros): Entry[] {
  const entries: Entry[] = [];
  for (let bucket = Math.max(0, timeline.bucketOf(since)); bucket <= Math.min(timeline.buckets - 1, timeline.bucketOf(now)); bucket++)
    entries.push(...timeline.entriesAt(bucket).filter(({ updatedAt, visibleAt }) => updatedAt >= since && visibleAt <= now));
  return entries;
}
