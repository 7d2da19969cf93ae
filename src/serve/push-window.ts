import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import { landBytes, landIndex, pageFacts, pageOfReceipt } from '../landing/land.ts';
import { rawScope } from '../landing/scope.ts';
import type { Head, ManifestPage, OpenPush, Receipt, Window } from '../manifest/documents.ts';
import { beginPush, openPush } from '../manifest/pushes.ts';
import { writeReceipt } from '../manifest/receipts.ts';
import { readHead, updateHead } from '../manifest/state.ts';
import { compress } from '../store/compress.ts';
import { generationPrefix, receiptKey } from '../store/keys.ts';
import type { Listen, Stream } from '../stream.ts';
import { HOUR } from '../time.ts';
import { commitPushWindow } from './commit-pushes.ts';
import type { ServeEffects } from './effects.ts';
import { joinPushes, type Push } from './pushed-body.ts';

/** Lands pushes in windows of the time of receipt. One call at a time. */
export interface PushWindows {
  /** Resolves once the pushes are durable in the store and sure to be committed, whoever dies. @throws STORE, CONFLICT: transient. */
  land(pushes: readonly Push[]): Promise<void>;
  /** Commits the window that is open, where its time is over or `now` says that nothing more comes. */
  commit(which: 'over' | 'now'): Promise<void>;
}

interface Landing {
  readonly open: OpenPush;
  readonly pages: ManifestPage[];
  deliveries: number;
  slot: number;
}

/** A window that somebody else takes for abandoned is begun anew, so often for one page. */
const ATTEMPTS = 3;
/** Where nobody normalizes, fewer and longer windows keep the head small. */
const BACKLOG = 60;

export function createPushWindows(effects: ServeEffects, stream: Stream, listen: Listen): PushWindows {
  let landing: Landing | null = null;

  const commit = async (which: 'over' | 'now'): Promise<void> => {
    const ended = landing;
    if (!ended || (which === 'over' && effects.clock.now() < ended.open.window.end)) return;
    // From here on another window is landed in: where this fails, whoever looks for abandoned ones commits it.
    landing = null;
    await commitPushWindow(effects, stream, ended.open, ended);
  };

  const begun = async (): Promise<Landing> => {
    await commit('over').catch((error: unknown) =>
      effects.log.warn({ stream: stream.name, error: String(error) }, 'window not committed yet'),
    );
    landing ??= await begin(effects, stream, listen);
    return landing;
  };

  return {
    commit,
    land: async (pushes) => {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const current = await begun();
        const page = await landPage(effects, stream, current, pushes);
        if (await isStillOpen(effects, stream, current.open)) {
          current.pages.push(page);
          current.deliveries += pushes.length;
          return;
        }
        effects.log.warn({ stream: stream.name, window: current.open.window }, 'somebody else has committed the window: landing again');
        landing = null;
      }
      throw takenAway(stream.name);
    },
  };
}

async function begin(effects: ServeEffects, stream: Stream, listen: Listen): Promise<Landing> {
  const { store, clock, holder } = effects;
  const window = windowAt(clock.now(), spanFor((await readHead(store, stream.name))?.head ?? null, listen.window));
  const id = effects.randomId();
  const head = await updateHead(store, stream.name, beginPush(id, window, holder), null, effects);
  const open = openPush(head, id);
  if (!open) throw takenAway(stream.name);
  return { open, pages: [], deliveries: 0, slot: 1 };
}

function windowAt(now: Micros, span: Micros): Window {
  const start = Math.floor(now / span) * span;
  return { kind: 'push', start, end: start + span };
}

function spanFor(head: Head | null, span: Micros): Micros {
  const waiting = head?.pending.filter((pending) => pending.window.kind === 'push').length ?? 0;
  return waiting >= BACKLOG ? Math.max(span, HOUR) : span;
}

/** Bytes, index, receipt, in that order. */
async function landPage(effects: ServeEffects, stream: Stream, landing: Landing, pushes: readonly Push[]): Promise<ManifestPage> {
  const { store } = effects;
  const slot = landing.slot++;
  const page = joinPushes(stream, pushes);
  const stored = await compress(page.body);
  const site = { store, stream, generation: generationPrefix(rawScope(stream), landing.open.window, landing.open.epoch) };
  const { key, storedSha256 } = await landBytes(site, slot, page, stored);
  const index = await landIndex(site, page, key);
  const facts = { ...pageFacts(page, storedSha256, index), storedBytes: stored.length };
  const receipt = await writeReceipt(store, receiptKey(key), receiptFor(effects, stream, landing.open, slot, key, facts, pushes));
  return pageOfReceipt(receipt);
}

function receiptFor(
  { clock }: ServeEffects,
  stream: Stream,
  { window, epoch }: OpenPush,
  slot: number,
  page: string,
  facts: ReturnType<typeof pageFacts> & Pick<Receipt, 'storedBytes'>,
  pushes: readonly Push[],
): Receipt {
  const deliveries = pushes.map(({ delivery }) => delivery);
  const now = clock.now();
  return {
    format: 1,
    ...rawScope(stream),
    window,
    epoch,
    slot,
    page,
    verdict: 'full',
    ...facts,
    cursorIn: null,
    cursorOut: null,
    more: false,
    pageSize: facts.records,
    requestId: deliveries.length === 1 ? (deliveries[0]?.id ?? null) : null,
    url: stream.listen?.path ?? '',
    status: 200,
    attempts: 1,
    requestedAt: deliveries[0]?.receivedAt ?? now,
    landedAt: now,
    deliveries,
  };
}

/** To be asked once the page and its receipt are in the store: whoever closes the window from now on will list them. */
async function isStillOpen({ store }: ServeEffects, stream: Stream, { id }: OpenPush): Promise<boolean> {
  const head = (await readHead(store, stream.name))?.head;
  return head !== undefined && openPush(head, id) !== null;
}

const takenAway = (stream: string): TidemarkError =>
  new TidemarkError({
    code: 'CONFLICT',
    message: `the windows of pushes of ${stream} are committed by another process as soon as they are begun`,
    hint: 'Nothing was acknowledged; the partner sends again. Check that the clocks of the machines agree.',
    transient: true,
  });
