/**
 * What Tidemark asks of an object store. Every implementation passes test/store/contract.ts.
 *
 * - Keys are `/`-separated UTF-8 without empty, `.` or `..` segments; a prefix is any leading part of a key.
 * - A write is all or nothing: no reader ever sees part of an object.
 * - Read after write and list after write are strongly consistent.
 * - `create` never replaces: of any number of racing creators of a key exactly one is told 'created'.
 * - `replace` is compare-and-set: it succeeds only where the object's tag still is `tag`; of any number of racing replacers with the
 *   same tag exactly one is told its new tag.
 * - `overwrite` does not exist: what is landed is immutable, and only state documents change, by compare-and-set.
 *
 * Every method rejects with a TidemarkError: STORE (transient or not) when the store failed, and then a write's outcome is unknown to
 * the caller only if `transient` is true. Implementations resolve unknown outcomes themselves where a HEAD can tell.
 */
export interface ObjectStore {
  /** The URL that the store was opened with, for messages and for lineage: `file:/data/store`, `s3://bucket/prefix`, `memory:`. */
  readonly url: string;

  /** @returns the whole object, or null where there is none. */
  get(key: string): Promise<StoredObject | null>;

  /** Size and tag without the bytes, or null where there is none. */
  head(key: string): Promise<ObjectInfo | null>;

  /** Creates the object. 'exists' means that the key is taken, whatever its bytes; the object there is untouched. */
  create(key: string, body: Uint8Array): Promise<CreateOutcome>;

  /** Replaces the object whose tag is `tag`. @returns the new tag, or null where the tag is another or the object is gone. */
  replace(key: string, body: Uint8Array, tag: string): Promise<string | null>;

  /** Every key that starts with `prefix`, in ascending order of UTF-8 bytes; pages through the listing, memory stays flat. */
  list(prefix: string): AsyncIterable<ObjectInfo>;

  /** Removes one object; it is no error where there is none. Used for scratch and expired leases only, never for what was landed. */
  remove(key: string): Promise<void>;

  /** Copies the object into a new local file at `path`, streaming. @returns its size; NOT_FOUND where there is none. */
  download(key: string, path: string): Promise<number>;

  /** Creates the object from a local file, streaming. 'exists' as in `create`. */
  upload(key: string, path: string): Promise<CreateOutcome>;
}

export interface ObjectInfo {
  readonly key: string;
  /** Bytes as stored. */
  readonly size: number;
  /** Opaque; changes whenever the object changes. An S3 ETag, a version number, a counter. */
  readonly tag: string;
}

export interface StoredObject extends ObjectInfo {
  readonly body: Buffer;
}

export type CreateOutcome = { readonly outcome: 'created'; readonly tag: string } | { readonly outcome: 'exists' };
