/** What fakesnow 0.12.1 cannot do, and the tests that need it, by how their names begin. */
export interface Limit {
  readonly reason: string;
  readonly tests: readonly string[];
}

export const LIMITS: readonly Limit[] = [];
