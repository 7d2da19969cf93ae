/** What `verify` answers: do raw pages, batches and warehouse say the same. Times are ISO 8601. */
export interface VerifyReport {
  readonly stream: string;
  /** The range that was asked for; null where everything was looked at. */
  readonly range: { readonly from: string | null; readonly to: string | null } | null;
  readonly checkedAt: string;
  readonly verdict: 'ok' | 'differs' | 'incomplete';
  /** 0; 1 where something differs; 5 where a gap is open. */
  readonly exitCode: 0 | 1 | 5;
  readonly raw: {
    readonly manifests: number;
    readonly pages: number;
    readonly records: number;
    /** Decoded. */
    readonly bytes: number;
    /** Windows, and their pages, that are landed and not normalized yet. */
    readonly pendingWindows: number;
    readonly notNormalized: number;
    /** Pages of manifests that another attempt at the same window took the place of before they were committed. */
    readonly superseded: number;
  };
  readonly batches: {
    readonly published: number;
    readonly loaded: number;
    readonly held: number;
    readonly sightings: number;
    readonly quarantined: number;
  };
  readonly table: {
    /** Keys that the law gives from the sightings of loaded batches, and rows that the table has. */
    readonly expected: number;
    readonly rows: number;
  };
  readonly coverage: {
    /** From the first poll's start to the fetched watermark, within the range; null before the first poll. */
    readonly from: string | null;
    readonly to: string | null;
    /** Of committed windows, and of open dead letters. */
    readonly gaps: readonly { readonly from: string; readonly to: string; readonly deadLetter: string | null }[];
  };
  readonly certificates: {
    readonly hours: number;
    /** The first certified hour of the range, and the end of the last; null where none is. */
    readonly from: string | null;
    readonly to: string | null;
    /** SHA-256 of the last: whoever keeps it elsewhere can prove that no certificate up to it was changed. */
    readonly last: string | null;
    /** What came into hours that were certified already. */
    readonly breaches: readonly {
      readonly hour: string;
      readonly batch: string;
      readonly cause: 'source' | 'decision';
      readonly late: number;
      readonly changed: number;
    }[];
  };
  /** Of the rows of the range, by currency; null where the configuration names no money. */
  readonly money: readonly { readonly currency: string; readonly landed: string; readonly table: string; readonly rows: number }[] | null;
  /** Nothing here: everything agrees. */
  readonly findings: readonly Finding[];
  /** What is worth doing now: commands, and sentences where no command helps. */
  readonly next: readonly string[];
}

export interface Finding {
  readonly kind: FindingKind;
  readonly count: number;
  /** What it means, in a sentence. */
  readonly meaning: string;
  /** At most SAMPLE_LIMIT. */
  readonly samples: readonly string[];
}

/** What each means, once and for all. */
export const FINDING_MEANINGS = {
  'manifest unreadable': 'a manifest is not the document that was written',
  'manifest missing': 'a loaded window has no manifest any more',
  'page missing': 'a page that a manifest names is not in the store',
  'page altered': 'a page is not the bytes that its manifest and receipt name',
  'receipt differs': 'a page’s receipt is missing, unreadable, or says something else than the manifest',
  'records differ': 'a page holds another number of records than was counted at landing',
  'index differs': 'a page’s index says something else than the page: remove it, it is made again where it is needed',
  'not normalized': 'a page of a committed window is in no batch',
  'not loaded': 'a page of a settled window is in no batch that the warehouse holds',
  'batch missing': 'the ledger names a batch that is not in the store',
  'file missing': 'a file of a published batch is not in the store',
  'file altered': 'a file of a published batch is not the one that was published',
  'quarantine unreadable': 'a batch’s refused records cannot be read',
  'record unaccounted': 'a record of a normalized page is neither a sighting nor in quarantine',
  'record repeated': 'a record of a page is in its batch more than once',
  'row missing': 'a key that the law gives a row has none',
  'row extra': 'a row has a key that no loaded batch saw',
  'row stale': 'a row is another observation than the one that wins',
  'row duplicated': 'a key has more than one row',
  'certificate unreadable': 'a certificate is not the document that was written',
  'certificate chain broken': 'a certificate is not linked to the one before it: one of them was changed, or removed',
  'certificate differs': 'what was certified of an hour is not what is stored any more',
  'breach unrecorded': 'a certified hour holds observations that neither its certificate nor a breach names',
  'money differs': 'the landed bytes and the table give different sums of money',
  'table moved': 'other processes kept loading while the table was compared; ask again',
} as const;
export type FindingKind = keyof typeof FINDING_MEANINGS;

export const SAMPLE_LIMIT = 10;
