import { TidemarkError } from '../errors.ts';

/** @throws CORRUPT where a stored document is not of the format that this version knows. */
export function checkFormat(key: string, document: { readonly format: 1 }): void {
  const format: unknown = typeof document === 'object' && document !== null ? document.format : undefined;
  if (format === 1) return;
  throw new TidemarkError({
    code: 'CORRUPT',
    message: `${key} is not a document of format 1, but of ${format === undefined ? 'none' : `format ${JSON.stringify(format)}`}`,
    hint: 'Nothing was changed. It was written by a newer version of Tidemark, or altered outside it: use that version, or restore the object.',
    data: { key, format },
  });
}
