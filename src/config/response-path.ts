/** Where something stands in a response: `$` is the body itself, `$.data.items` a member of a member, `$["odd name"]` any name. */
export const RESPONSE_PATH_PATTERN = /^\$(?:\.[A-Za-z_][A-Za-z0-9_-]*|\["(?:[^"\\]|\\.)+"\])*$/;

const SEGMENT = /\.([A-Za-z_][A-Za-z0-9_-]*)|\[("(?:[^"\\]|\\.)+")\]/g;

/** @returns the member names from the root, empty for `$`; null where `text` is no path. */
export function parseResponsePath(text: string): readonly string[] | null {
  if (!RESPONSE_PATH_PATTERN.test(text)) return null;
  const names: string[] = [];
  for (const [, plain, quoted] of text.matchAll(SEGMENT)) {
    const name = plain ?? unquote(quoted ?? '');
    if (name === null) return null;
    names.push(name);
  }
  return names;
}

function unquote(quoted: string): string | null {
  try {
    const name: string = JSON.parse(quoted);
    return name;
  } catch {
    return null;
  }
}
