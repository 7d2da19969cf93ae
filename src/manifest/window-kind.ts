/** Windows that say what came, and nothing of what may be missing from a stretch of version time. */
export const provesNothing = (kind: string | undefined): boolean => kind === 'push' || kind === 'lookup';
