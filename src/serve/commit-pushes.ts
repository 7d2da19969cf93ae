import type { Micros } from '../clock.ts';
import { isTidemarkError } from '../errors.ts';
import { pageOfReceipt } from '../landing/land.ts';
import { rawScope } from '../landing/scope.ts';
import type { Head, Manifest, ManifestPage, OpenPush, Receipt } from '../manifest/documents.ts';
import { isDead } from '../manifest/holder.ts';
import { landedSlots } from '../manifest/landed.ts';
import { readManifest, writeManifest } from '../manifest/manifests.ts';
import { closePush, commitPush, pushWindows } from '../manifest/pushes.ts';
import { readHead, updateHead } from '../manifest/state.ts';
import { noTotals } from '../manifest/totals.ts';
import { emptyShape, mergeShape, shapeFromJson, shapeToJson } from '../schema/shape.ts';
import { generationPrefix, manifestKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { MINUTE } from '../time.ts';
import type { ServeEffects } from './effects.ts';

/** How long after its end a window's listener may take to commit it, before whoever looks takes it for gone. Too early costs work alone. */
const GRACE: Micros = MINUTE;

/** What a window landed. */
export interface LandedPushes {
  readonly pages: readonly ManifestPage[];
  readonly deliveries: number;
}

/**
 * Commits every window of pushes whose listener is gone: known to be dead, or silent beyond the window's end. What was acknowledged is in
 * it. Safe at any time and by any number of processes: a listener that is taken for gone, and is not, lands again elsewhere.
 * @returns how many windows.
 */
export async function commitAbandoned(effects: ServeEffects, stream: Stream): Promise<number> {
  const head = (await readHead(effects.store, stream.name))?.head;
  const abandoned = head ? abandonedWindows(head, effects) : [];
  for (const open of abandoned) {
    await updateHead(effects.store, stream.name, closePush(open.epoch), null, effects);
    await commitPushWindow(effects, stream, open, await pushesIn(effects, stream, open));
  }
  return abandoned.length;
}

function abandonedWindows(head: Head, { clock, holder }: ServeEffects): readonly OpenPush[] {
  return pushWindows(head).open.filter(
    (open) => open.closing || clock.now() >= open.window.end + GRACE || isDead({ ...open.holder, beat: 0 }, holder),
  );
}

/** By their receipts: a page without one was not acknowledged, and will be sent again. */
async function pushesIn({ store }: ServeEffects, stream: Stream, { window, epoch }: OpenPush): Promise<LandedPushes> {
  const slots = await landedSlots(store, rawScope(stream), window);
  const landed = slots.flatMap(({ answers }) => answers).filter((answer) => answer.epoch === epoch && answer.object !== null);
  const receipts = landed.flatMap(({ receipt }): Receipt[] => (receipt ? [receipt] : []));
  return { pages: receipts.map(pageOfReceipt), deliveries: receipts.reduce((sum, { deliveries = [] }) => sum + deliveries.length, 0) };
}

/** Nothing may be landing in the window any more. Doing it twice, or at the same time as somebody else, is no error. */
export async function commitPushWindow(effects: ServeEffects, stream: Stream, open: OpenPush, landed: LandedPushes): Promise<void> {
  const manifest = landed.pages.length === 0 ? null : await manifestOf(effects, stream, open, landed);
  await updateHead(effects.store, stream.name, commitPush(open.epoch, manifest), null, effects);
  effects.log.info({ stream: stream.name, manifest, pages: landed.pages.length, deliveries: landed.deliveries }, 'window committed');
}

/** @returns its key. One that stands already was written after the window was closed: it has everything that was acknowledged. */
async function manifestOf(
  { store, clock }: ServeEffects,
  stream: Stream,
  { window, epoch }: OpenPush,
  landed: LandedPushes,
): Promise<string> {
  const pages = [...landed.pages].sort((a, b) => a.slot - b.slot || (a.key < b.key ? -1 : 1));
  const records = pages.reduce((sum, page) => sum + page.records, 0);
  const scope = rawScope(stream);
  const manifest: Manifest = {
    format: 1,
    ...scope,
    window,
    epoch,
    pages,
    totals: { ...noTotals(), asked: landed.deliveries, pages: pages.length, records },
    gaps: [],
    shape: unionOf(pages),
    committedAt: clock.now(),
  };
  try {
    return (await writeManifest(store, manifest)).key;
  } catch (error) {
    if (!isTidemarkError(error, 'CONFLICT')) throw error;
    const key = manifestKey(generationPrefix(scope, window, epoch));
    await readManifest(store, key);
    return key;
  }
}

function unionOf(pages: readonly ManifestPage[]): Manifest['shape'] {
  const union = emptyShape();
  const distinct = new Map(pages.map(({ shape }) => [JSON.stringify(shape), shape]));
  for (const shape of distinct.values()) mergeShape(union, shapeFromJson(shape));
  return shapeToJson(union);
}
