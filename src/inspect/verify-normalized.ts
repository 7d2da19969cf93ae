import type { Batch, Head } from '../manifest/documents.ts';
import { sameWindow } from '../manifest/head.ts';
import type { PublishedBatches, Standing } from './batches.ts';
import type { Findings } from './findings.ts';
import type { KnownManifest, RawFacts } from './verify-raw.ts';
import type { VerifyReport } from './verify-report.ts';

/** Windows that wait to be loaded. */
export const waiting = ({ manifests }: RawFacts, head: Head | null): number =>
  manifests.filter(({ key }) => head?.pending.some(({ manifest }) => manifest === key)).length;

export type OnTheirWay = Pick<Head, 'open' | 'pending' | 'pushes'>;

/** Windows that nobody has finished yet: live ones, and those of a backfill that was stopped and will be gone on with. */
export function onTheirWay(live: Head | null, backfill: Head | null): OnTheirWay {
  const heads = [live, backfill].filter((head) => head !== null);
  const { pushes } = live ?? {};
  return { open: heads.flatMap(({ open }) => open), pending: heads.flatMap(({ pending }) => pending), ...(pushes ? { pushes } : {}) };
}

/** Every page of a committed window is in a batch, and of a settled one in a batch that is loaded or was discarded. */
export function verifyNormalized(
  raw: RawFacts,
  underWay: OnTheirWay,
  published: PublishedBatches,
  standing: Standing,
  findings: Findings,
): Pick<VerifyReport['raw'], 'pendingWindows' | 'notNormalized' | 'superseded'> {
  const inBatch = pageStates(published.batches, standing);
  const stateOf = ({ key, sha256 }: KnownManifest['pages'][number]) => inBatch.get(key) ?? inBatch.get(sha256);
  const pending = new Set(underWay.pending.map((entry) => entry.manifest));
  let notNormalized = 0;
  let superseded = 0;
  for (const manifest of raw.manifests) {
    const missing = manifest.pages.filter((page) => stateOf(page) === undefined).map(({ key }) => key);
    if (pending.has(manifest.key)) notNormalized += missing.length;
    else if (isSuperseded(manifest, raw.manifests, underWay)) superseded += missing.length;
    else {
      for (const page of missing) findings.add('not normalized', page);
      for (const page of manifest.pages) if (stateOf(page) === false) findings.add('not loaded', page.key);
    }
  }
  const pendingWindows = raw.manifests.filter((manifest) => pending.has(manifest.key)).length;
  return { pendingWindows, notNormalized, superseded };
}

/**
 * By a page's key, and by the hash of its bytes: whether a batch that holds it is loaded, or was discarded. A batch's name says what went
 * into it, so that windows which brought the same bytes, as empty ones do, are one batch.
 */
function pageStates(batches: readonly Batch[], standing: Standing): Map<string, boolean> {
  const states = new Map<string, boolean>();
  for (const batch of batches) {
    const done = ['loaded', 'discarded'].includes(standing.stateOf(batch.id));
    for (const { key, sha256 } of batch.pages) for (const name of [key, sha256]) states.set(name, done || states.get(name) === true);
  }
  return states;
}

/** Its writer died before it could commit it, and another attempt at the window was committed, or is on its way. */
const isSuperseded = (manifest: KnownManifest, all: readonly KnownManifest[], { open: begun, pushes }: OnTheirWay): boolean =>
  manifest.window.kind === 'push'
    ? Boolean(pushes?.open.some((open) => open.epoch === manifest.epoch))
    : begun.some((open) => sameWindow(open, manifest.window)) ||
      all.some((other) => other.epoch > manifest.epoch && sameWindow(other.window, manifest.window));
