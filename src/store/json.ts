import { assert, messageOf, TidemarkError } from '../errors.ts';
import { compress, decompress } from './compress.ts';
import type { CreateOutcome, ObjectStore } from './object-store.ts';

export interface JsonDocument<T> {
  readonly value: T;
  readonly tag: string;
}

/** @returns the document and its tag, or null where there is none. @throws CORRUPT where the bytes are not JSON. */
export async function getJson<T>(store: ObjectStore, key: string): Promise<JsonDocument<T> | null> {
  const object = await store.get(key);
  return object && { value: await decodeJson<T>(key, object.body), tag: object.tag };
}

export async function createJson(store: ObjectStore, key: string, value: unknown): Promise<CreateOutcome> {
  return store.create(key, await encodeJson(key, value));
}

/** @returns the new tag, or null where the tag is another, as `ObjectStore.replace`. */
export async function replaceJson(store: ObjectStore, key: string, value: unknown, tag: string): Promise<string | null> {
  return store.replace(key, await encodeJson(key, value), tag);
}

/** Compressed where the key ends in `.zst`. */
async function encodeJson(key: string, value: unknown): Promise<Buffer> {
  const text = Buffer.from(formatJson(value));
  return key.endsWith('.zst') ? compress(text) : text;
}

async function decodeJson<T>(key: string, stored: Buffer): Promise<T> {
  const text = key.endsWith('.zst') ? decompress(key, stored) : stored;
  try {
    return JSON.parse(text.toString()) as T;
  } catch (cause) {
    throw new TidemarkError({
      code: 'CORRUPT',
      message: `${key} is not a JSON document: ${messageOf(cause)}`,
      hint: 'Nothing was changed. The object was altered outside Tidemark, or the disk lost its end: restore it from a copy or an older version.',
      data: { key, bytes: stored.length },
      cause,
    });
  }
}

/**
 * Members in ascending order of name, so that one value is one text; the root's members, and the elements of its arrays, a line each,
 * so that people can read and compare documents. Members that are undefined are left out.
 */
export function formatJson(value: unknown): string {
  if (!isObject(value)) return `${flat(value)}\n`;
  const lines = membersOf(value).map(([name, member]) => `  ${JSON.stringify(name)}: ${formatMember(member)}`);
  return lines.length === 0 ? '{}\n' : `{\n${lines.join(',\n')}\n}\n`;
}

function formatMember(value: unknown): string {
  if (!Array.isArray(value) || !value.some(isObject)) return flat(value);
  return `[\n${value.map((element) => `    ${flat(element)}`).join(',\n')}\n  ]`;
}

function flat(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flat).join(',')}]`;
  if (isObject(value))
    return `{${membersOf(value)
      .map(([name, member]) => `${JSON.stringify(name)}:${flat(member)}`)
      .join(',')}}`;
  assert(typeof value !== 'number' || Number.isFinite(value), `a document cannot hold the number ${String(value)}`);
  const text: string | undefined = JSON.stringify(value);
  assert(text !== undefined, `a document cannot hold a ${typeof value}`);
  return text;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function membersOf(value: Record<string, unknown>): [string, unknown][] {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
