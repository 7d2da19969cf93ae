/** What `status` answers: where each stream stands. Times are ISO 8601, spans of time in seconds. */
export interface StatusReport {
  readonly at: string;
  readonly store: string;
  readonly warehouse: {
    readonly url: string;
    /** busy: another process has it open, and what it says of each stream is null. */
    readonly state: 'ok' | 'busy' | 'failed';
    readonly problem: string | null;
  };
  readonly streams: readonly StreamStatus[];
  /** 0; 4 a batch is held; 5 incomplete; 6 stale or never run; 1 where the warehouse or the state cannot be read. The first that applies of 1, 4, 5, 6. */
  readonly exitCode: 0 | 1 | 4 | 5 | 6;
}

export interface StreamStatus {
  readonly stream: string;
  readonly verdict: StreamVerdict;
  /** Every window that ends at or before it is committed. */
  readonly fetchedWatermark: string | null;
  /** Where the first poll began. */
  readonly since: string | null;
  /** The time up to which the warehouse is complete. */
  readonly loadedWatermark: string | null;
  /** Told from the state alone, because the warehouse could not be asked. */
  readonly loadedWatermarkIsEstimate: boolean;
  readonly freshnessSeconds: number | null;
  readonly deadlineSeconds: number;
  readonly holder: StatusHolder | null;
  readonly open: readonly StatusWindow[];
  readonly pending: readonly (StatusWindow & { readonly state: 'landed' | 'normalized' | 'held'; readonly manifest: string })[];
  /** What a run would ask now, in this order. */
  readonly due: readonly (StatusWindow & { readonly reason: string; readonly why: string })[];
  /** What comes due later, soonest first; empty while something is due. */
  readonly next: readonly { readonly at: string; readonly reason: string; readonly why: string }[];
  /** When the next poll is due; null while something is. */
  readonly nextPollAt: string | null;
  readonly lateness: StatusLateness;
  readonly deadLetters: readonly StatusDeadLetter[];
  /** Times in which the source did not answer: what is open, and the last ones; the newest first. */
  readonly incidents: readonly StatusIncident[];
  /** Begun and not finished: under way, or interrupted; then `goOn` takes them up. */
  readonly backfills: readonly { readonly from: string; readonly to: string; readonly goOn: string }[];
  readonly held: readonly { readonly batch: string; readonly reason: string; readonly rows: number; readonly at: string }[];
  /** Open records by rule, the most frequent first. */
  readonly quarantine: readonly { readonly rule: string; readonly records: number }[];
  readonly table: { readonly rows: number; readonly latest: string | null } | null;
  readonly certified: {
    /** Every hour before it is certified, from the first whole one on; null before the first. */
    readonly upTo: string | null;
    /** How long the next hour could have been certified by now, for all that the lateness bound says. */
    readonly behindSeconds: number | null;
    /** Certified hours into which something came afterwards. */
    readonly breachedHours: number;
  };
  readonly schemaVersion: number | null;
  readonly lastLoad: { readonly batch: string; readonly rows: number; readonly at: string } | null;
}

export interface StreamVerdict {
  readonly state: 'ok' | 'late' | 'held' | 'incomplete' | 'never run' | 'unknown';
  /** What is the matter, in one sentence. */
  readonly what: string;
  /** Why, one reason a line. */
  readonly why: readonly string[];
  /** What is safe whatever is done. */
  readonly safe: string;
  /** Commands, the first one first. */
  readonly next: readonly string[];
}

export interface StatusHolder {
  readonly host: string;
  readonly pid: number;
  readonly epoch: number;
  /** unknown: it is on another machine, or in another container; its silence will tell. */
  readonly state: 'running' | 'gone' | 'unknown';
}

/** How late records show, and how far polls look back for it. */
export interface StatusLateness {
  /** Null before the first measurement. Of new records, a day old half counted: how many, the share that was late, and within which time 99% and 99.9% show; null beyond the last bound. */
  readonly measured: {
    readonly records: number;
    readonly lateShare: number;
    readonly p99Seconds: number | null;
    readonly p999Seconds: number | null;
  } | null;
  readonly overlapSeconds: number;
  readonly why: string;
}

export interface StatusWindow {
  readonly kind: string;
  readonly start: string;
  readonly end: string;
}

export interface StatusIncident {
  readonly id: string;
  readonly reason: string;
  readonly begin: string;
  /** When the source answered again; null while the incident is open. */
  readonly end: string | null;
  /** Null while it is open. */
  readonly effect: { readonly failedRequests: number; readonly windows: number; readonly worstFreshnessSeconds: number | null } | null;
}

export interface StatusDeadLetter {
  readonly id: string;
  readonly reason: string;
  readonly gap: { readonly from: string; readonly to: string } | null;
  /** Records of the gap that came one by one; others may still be missing. */
  readonly lookedUp: number;
  readonly at: string;
}
