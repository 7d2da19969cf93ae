import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import type { WindowKind } from '../manifest/documents.ts';
import { HOUR } from '../time.ts';
import type { MoneyTotals } from './money.ts';

/**
 * What is vouched for of one hour of version time, written once and never changed. It is about observations, not about rows: a later
 * update takes a key's row to a later hour, but what was observed in this one stays, so its root never changes.
 */
export interface Certificate {
  readonly format: 1;
  readonly stream: string;
  /** The hour is [hour, hour + 1 h) of the first version column. */
  readonly hour: Micros;
  /** Pages that hold an observation of the hour, and landed copies of observations: each landing counts. */
  readonly pages: number;
  readonly records: number;
  /** Distinct (key, version, content hash), and distinct keys among them. */
  readonly observations: number;
  readonly keys: number;
  /** Rows of the table whose version lay in the hour when this was written: the keys that nothing later had updated. */
  readonly rows: number;
  /** Over the observations: root.ts. */
  readonly root: string;
  /** Of each key's last observation within the hour, from the landed bytes; null where no money is configured. */
  readonly money: MoneyTotals | null;
  /** Every committed window that reaches into the hour, oldest first. */
  readonly windows: readonly CertifiedWindow[];
  /** Batches whose sightings the root is taken from, in ascending order. */
  readonly batches: readonly string[];
  /** Stretches that once could not be asked, all repaired since. */
  readonly gaps: readonly { readonly from: Micros; readonly to: Micros; readonly deadLetter: string }[];
  /** The bound that was waited for. */
  readonly lateness: Micros;
  /** SHA-256 of the certificate of the hour before, as stored; null for the first. */
  readonly previous: string | null;
  readonly certifiedAt: Micros;
}

export interface CertifiedWindow {
  readonly kind: WindowKind;
  readonly start: Micros;
  readonly end: Micros;
  /** Key of the manifest, and the SHA-256 of the document: with it, of every page. */
  readonly manifest: string;
  readonly sha256: string;
  /** When its first page was asked for. */
  readonly askedAt: Micros;
  readonly committedAt: Micros;
  /** Asked past the lateness bound, it brought nothing of the hour that was not known. */
  readonly agreed: boolean;
}

/** A batch brought what the certificate of its hour does not count. Written before the batch is loaded, so that it is never silent. */
export interface Breach {
  readonly format: 1;
  readonly stream: string;
  readonly hour: Micros;
  readonly batch: string;
  /** source: the partner gave it after its lateness bound. decision: it had landed before, and was let in by us: a release, another rule. */
  readonly cause: 'source' | 'decision';
  /** Observations that are new to the hour: of a version that was not known, or other content under a known version. */
  readonly late: number;
  readonly changed: number;
  /** At most BREACH_SAMPLES. */
  readonly samples: readonly BreachSample[];
  readonly at: Micros;
}

export const BREACH_SAMPLES = 20;

export interface BreachSample {
  readonly what: 'late' | 'changed';
  readonly key: readonly string[];
  /** Microseconds, then digits. */
  readonly version: readonly string[];
  readonly contentHash: string;
  readonly page: string;
  readonly position: number;
}

export const hourOf = (instant: Micros): Micros => Math.floor(instant / HOUR) * HOUR;

/** What the next certificate's `previous` says of this one. @param stored the document's bytes as they stand in the store. */
export const certificateHash = (stored: Buffer): string => hash('sha256', stored);

/** A certificate as it stands in the store. */
export interface StoredCertificate {
  readonly certificate: Certificate;
  readonly sha256: string;
}

/** Whether `next` is what was written after `before`; says what is wrong. */
export function linkProblem(before: StoredCertificate | null, next: Certificate): string | null {
  if (before === null) return next.previous === null ? null : 'names a certificate before it, and there is none';
  if (next.hour !== before.certificate.hour + HOUR) return 'certificates of hours before it are missing';
  return next.previous === before.sha256 ? null : 'the certificate before it is not the one that it was written after';
}
