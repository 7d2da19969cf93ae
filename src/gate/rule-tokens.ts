/** The words and signs of a row rule. `offset` is the zero-based place of the token's first character in the rule. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'regex' | 'operator' | 'sign' | 'end';
  /** Without quotes or slashes. */
  readonly text: string;
  readonly offset: number;
}

export const RULE_LENGTH_LIMIT = 2000;

const TOKEN =
  /\s*(?:(?<operator>>=|<=|!=|[<>=])|(?<sign>[(),])|(?<quoted>"(?:[^"\\]|\\.)*")|\/(?<regex>(?:[^/\\]|\\.)*)\/|(?<word>[^\s(),"/<>=!][^\s(),"<>=!]*))/y;

/** @param fail makes the error for a place where no token can begin. */
export function tokenize(text: string, fail: (offset: number, problem: string) => Error): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const start = TOKEN.lastIndex + leadingBlanks(text, TOKEN.lastIndex);
    const match = TOKEN.exec(text);
    if (!match?.groups) throw fail(start, unreadable(text.charAt(start)));
    tokens.push({ ...tokenOf(match.groups, () => fail(start, 'this is not a text in double quotes')), offset: start });
  }
  return tokens;
}

const leadingBlanks = (text: string, from: number): number => /^\s*/.exec(text.slice(from))?.[0].length ?? 0;

function tokenOf(groups: Record<string, string | undefined>, bad: () => Error): Omit<Token, 'offset'> {
  const { operator, sign, quoted, regex, word = '' } = groups;
  if (operator !== undefined) return { kind: 'operator', text: operator };
  if (sign !== undefined) return { kind: 'sign', text: sign };
  if (regex !== undefined) return { kind: 'regex', text: regex };
  return quoted === undefined ? { kind: 'word', text: word } : { kind: 'quoted', text: unquote(quoted, bad) };
}

function unquote(quoted: string, bad: () => Error): string {
  try {
    const text: string = JSON.parse(quoted);
    return text;
  } catch {
    throw bad();
  }
}

function unreadable(sign: string): string {
  if (sign === '"') return 'a double quote is missing at the end';
  if (sign === '/') return 'a / is missing at the end of the pattern';
  return `unexpected ${JSON.stringify(sign)}`;
}
