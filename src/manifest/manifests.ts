import { TidemarkError } from '../errors.ts';
import { createJson, getJson } from '../store/json.ts';
import { generationPrefix, manifestKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Manifest, ManifestPage } from './documents.ts';
import { checkFormat } from './format.ts';

export interface StoredManifest {
  readonly key: string;
  readonly manifest: Manifest;
}

/**
 * Writes a window's manifest into its generation, once. Where one stands there already and names the same pages and gaps, it is adopted:
 * an earlier attempt wrote it. @throws CONFLICT where it names others.
 */
export async function writeManifest(store: ObjectStore, manifest: Manifest): Promise<StoredManifest> {
  const key = manifestKey(generationPrefix(manifest, manifest.window, manifest.epoch));
  const { outcome } = await createJson(store, key, manifest);
  if (outcome === 'created') return { key, manifest };
  const standing = await readManifest(store, key);
  if (sameContent(standing, manifest)) return { key, manifest: standing };
  throw new TidemarkError({
    code: 'CONFLICT',
    message: `${key} exists and lists other pages than this process landed`,
    hint: 'The manifest that stands is kept and so are all pages; the window is not closed. Run again: the next epoch adopts the pages and writes a manifest of its own.',
    data: { key, pages: manifest.pages.length, standing: standing.pages.length },
  });
}

/** @throws NOT_FOUND where there is none; CORRUPT. */
export async function readManifest(store: ObjectStore, key: string): Promise<Manifest> {
  const document = await getJson<Manifest>(store, key);
  if (!document) {
    throw new TidemarkError({
      code: 'NOT_FOUND',
      message: `there is no manifest ${key} in ${store.url}`,
      hint: 'The pages beside it may still be there: `tidemark replay` over the window reads them without a manifest.',
      data: { key },
    });
  }
  checkFormat(key, document.value);
  return { ...document.value, pages: sharingShapes(document.value.pages) };
}

/** Pages of one source look alike: thousands of them, each with a shape of its own, would take ten times the memory. */
function sharingShapes(pages: readonly ManifestPage[]): ManifestPage[] {
  const shapes = new Map<string, ManifestPage['shape']>();
  return pages.map((page) => {
    const text = JSON.stringify(page.shape);
    const shape = shapes.get(text) ?? page.shape;
    shapes.set(text, shape);
    return { ...page, shape };
  });
}

/** Times and counts of requests may differ between two attempts; what was landed may not. */
function sameContent(a: Manifest, b: Manifest): boolean {
  return samePages(a.pages, b.pages) && JSON.stringify(a.gaps) === JSON.stringify(b.gaps);
}

function samePages(a: readonly ManifestPage[], b: readonly ManifestPage[]): boolean {
  return a.length === b.length && a.every((page, i) => page.key === b[i]?.key && page.sha256 === b[i].sha256);
}
