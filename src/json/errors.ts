/** The body is not JSON, or breaks off. `offset` is the byte at which that showed. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  readonly offset: number;
  /** The body ended where more had to come. */
  readonly truncated: boolean;
  constructor(message: string, offset: number, truncated: boolean) {
    super(`${message} at byte ${offset}`);
    this.offset = offset;
    this.truncated = truncated;
  }
}

/** The body is JSON, but there is no array at the configured path. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError';
}
