/**
 * What one batch of a stream looks like to the warehouse, as it was recorded at some rate; the model scales it. Ages are of the row that an
 * update replaces: the time since that row's key was first loaded, which says in which micro-partitions it lies.
 */
export interface Shape {
  readonly name: string;
  /** How it was come by. */
  readonly source: string;
  /** Length of the window that the batch is of. */
  readonly minutes: number;
  /** Records of the stream that came in it, copies of one key included, and how many of them were the first of their key. */
  readonly records: number;
  readonly keys: number;
  /** Of the batch's rows, those of keys that the table does not have. */
  readonly inserted: number;
  /** Rows that lose against what the table has. */
  readonly unchanged: number;
  /** Slices of `sliceMinutes` each, the youngest first: `[slice, rows]` where a row is replaced. */
  readonly sliceMinutes: number;
  readonly updates: readonly (readonly [slice: number, rows: number])[];
  /** A record as JSON, its row in a compressed columnar file, and of that the key, version and content hash. */
  readonly recordBytes: number;
  readonly rowBytes: number;
  readonly keyBytes: number;
}

export const updatedRows = ({ updates }: Shape): number => updates.reduce((sum, [, rows]) => sum + rows, 0);

/** The same shape for a window that is a little shorter or longer: how often one key comes in it is taken to be the same. */
export function ofMinutes(shape: Shape, minutes: number): Shape {
  const factor = minutes / shape.minutes;
  return {
    ...shape,
    minutes,
    records: shape.records * factor,
    keys: shape.keys * factor,
    inserted: shape.inserted * factor,
    unchanged: shape.unchanged * factor,
    updates: shape.updates.map(([slice, rows]) => [slice, rows * factor] as const),
  };
}
