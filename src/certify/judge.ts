import type { Micros } from '../clock.ts';
import type { Gap, Head, WindowKind } from '../manifest/documents.ts';
import { DAY, HOUR } from '../time.ts';
import type { CertifiedWindow } from './certificate.ts';

/** When an hour may be certified; pure. */

/** Hours that are looked at in one pass. */
export const HOURS_A_PASS = 24;
/** A second look so soon after the first says little. */
const LOOK_AGAIN_AFTER: Micros = HOUR;
/** The daily sweep looks at every instant past the bound, within a day of it: what that brings need not be asked for beside it. */
const SWEPT_WITHIN: Micros = DAY + 2 * HOUR;

export interface Standing {
  readonly head: Pick<Head, 'since' | 'watermark' | 'pending'>;
  /** The time up to which the warehouse is complete. */
  readonly loaded: Micros | null;
  readonly gaps: readonly Pick<Gap, 'from' | 'to'>[];
  /** How late anything may show, as our clock tells it (reach.ts). */
  readonly reach: Micros;
}

const hourUp = (instant: Micros): Micros => Math.ceil(instant / HOUR) * HOUR;
const hourDown = (instant: Micros): Micros => Math.floor(instant / HOUR) * HOUR;

/** The first hour that is covered whole from the first poll on; null before that. */
export const firstHour = ({ since }: Pick<Head, 'since'>): Micros | null => (since === null ? null : hourUp(since));

/**
 * Up to where hours can be certified at all: wholly below the watermark, older than the lateness bound, loaded, and before every stretch
 * that is not in the warehouse yet: windows on their way, held ones, open gaps.
 */
export function certifiableEnd(now: Micros, from: Micros, { head, loaded, gaps, reach }: Standing): Micros | null {
  if (head.watermark === null || loaded === null) return null;
  const pending = head.pending.filter(({ window }) => window.end > from).map(({ window }) => window.start);
  // A gap may be one instant, and then it belongs to the hour that it stands in.
  const open = gaps.filter((gap) => gap.to >= from).map((gap) => gap.from);
  return hourDown(Math.min(head.watermark, loaded, now - reach, ...pending, ...open));
}

/** A committed window, as far as it is known what it brought. */
export interface SeenWindow extends Omit<CertifiedWindow, 'agreed'> {
  readonly kind: WindowKind;
  readonly gaps: readonly Pick<Gap, 'from' | 'to' | 'deadLetter'>[];
}

/** The stretch of which a window had the last word: it was asked when nothing of it could still come. Empty where to ≤ from. */
export function finalPart({ start, end, askedAt }: SeenWindow, reach: Micros): { readonly from: Micros; readonly to: Micros } {
  return { from: start, to: Math.min(end, askedAt - reach) };
}

const reaches = ({ from, to }: { readonly from: Micros; readonly to: Micros }, hour: Micros): boolean =>
  Math.max(from, hour) < Math.min(to, hour + HOUR);
/** A gap that was repaired since was not looked into by this window. */
const isWhole = ({ gaps }: SeenWindow, hour: Micros): boolean => !gaps.some((gap) => gap.from < hour + HOUR && gap.to >= hour);

export type Verdict =
  | { readonly verdict: 'certified'; readonly agreed: readonly SeenWindow[] }
  | { readonly verdict: 'ask'; readonly after: Micros };

/**
 * Whether windows that were asked past the lateness bound brought nothing new, and leave no instant of the hour out.
 * @param broughtNew whether a window was the first to bring an observation of that hour, in its final part.
 * @returns otherwise, when to ask the hour once more.
 */
export function judgeHour(
  hour: Micros,
  windows: readonly SeenWindow[],
  reach: Micros,
  broughtNew: (window: SeenWindow) => boolean,
): Verdict {
  const final = windows.filter((window) => reaches(finalPart(window, reach), hour));
  const agreed = final.filter((window) => isWhole(window, hour) && !broughtNew(window));
  if (covers(agreed, hour, reach)) return { verdict: 'certified', agreed };
  if (!covers(final, hour, reach)) return { verdict: 'ask', after: hour + HOUR + reach + SWEPT_WITHIN };
  const last = final.reduce((latest, window) => Math.max(latest, window.askedAt), hour);
  return { verdict: 'ask', after: last + LOOK_AGAIN_AFTER };
}

function covers(windows: readonly SeenWindow[], hour: Micros, reach: Micros): boolean {
  let reached = hour;
  for (const { from, to } of windows.map((window) => finalPart(window, reach)).sort((a, b) => a.from - b.from)) {
    if (from <= reached) reached = Math.max(reached, to);
  }
  return reached >= hour + HOUR;
}
