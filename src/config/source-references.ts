import type { SourceInput, StreamInput } from './definition.ts';
import type { Path } from './document.ts';
import type { Problem } from './problems.ts';
import type { ReferenceCheck } from './references.ts';

/** What must fit together within `source`, and between it and the key. */
export const sourceReferences: readonly ReferenceCheck[] = [
  { needs: [['source', 'auth']], check: ({ source }) => authProblems(source) },
  {
    needs: [
      ['source', 'query'],
      ['source', 'response'],
    ],
    check: ({ source }) => paginationProblems(source),
  },
  {
    needs: [
      ['source', 'query'],
      ['source', 'parameters'],
      ['source', 'auth'],
    ],
    check: ({ source }) => parameterProblems(source),
  },
  { needs: [['source', 'lookup'], ['key']], check: lookupProblems },
];

const AUTHS = ['bearer', 'header', 'basic', 'query'] as const;

function authProblems(source: SourceInput): readonly Problem[] {
  const given = AUTHS.filter((name) => source.auth?.[name] !== undefined);
  if (source.auth === undefined || given.length === 1) return [];
  const found = given.length === 0 ? 'there is none' : `there are ${given.join(' and ')}`;
  return [{ path: ['source', 'auth'], onKey: true, message: `takes one of ${AUTHS.join(', ')}; ${found}` }];
}

/** Each way to the next page, the key that chooses it, and the keys that go with it. */
const WAYS = [
  { key: ['query', 'cursor'], needs: [['response', 'next']], takes: [['response', 'more']] },
  { key: ['response', 'nextUrl'], needs: [], takes: [['response', 'more']] },
  {
    key: ['query', 'page'],
    needs: [],
    takes: [
      ['query', 'firstPage'],
      ['response', 'more'],
    ],
  },
  { key: ['query', 'offset'], needs: [], takes: [['response', 'more']] },
  {
    key: ['query', 'lastId'],
    needs: [
      ['response', 'id'],
      ['response', 'order'],
    ],
    takes: [['response', 'more']],
  },
] as const satisfies readonly { key: Path; needs: readonly Path[]; takes: readonly Path[] }[];

const WAYS_TEXT =
  'query.cursor with response.next, response.nextUrl (a path, or link-header), query.page, query.offset, or query.lastId with response.id and response.order';

function paginationProblems(source: SourceInput): readonly Problem[] {
  const given = WAYS.filter(({ key }) => has(source, key));
  const [way] = given;
  if (way === undefined)
    return [{ path: ['source', 'query'], onKey: true, message: `says no way to the next page; give one of ${WAYS_TEXT}` }];
  if (given.length > 1) {
    const names = given.map(({ key }) => key.join('.')).join(' and ');
    return [
      { path: ['source', 'query'], onKey: true, message: `there are several ways to the next page, ${names}; give one of ${WAYS_TEXT}` },
    ];
  }
  return [...missingCompanions(source, way), ...strayCompanions(source, way)];
}

type Way = (typeof WAYS)[number];

function missingCompanions(source: SourceInput, way: Way): readonly Problem[] {
  const missing = way.needs.filter((path) => !has(source, path));
  return missing.map((path) => ({ path: ['source', ...path], message: `is missing; ${way.key.join('.')} needs it` }));
}

function strayCompanions(source: SourceInput, way: Way): readonly Problem[] {
  const byHeader = source.response.nextUrl === 'link-header';
  const belongs: readonly Path[] = byHeader ? [] : [...way.needs, ...way.takes];
  const all = [...new Set(WAYS.flatMap(({ needs, takes }) => [...needs, ...takes].map((path) => path.join('.'))))];
  const strays = all
    .map((name) => name.split('.'))
    .filter((path) => has(source, path) && !belongs.some((other) => other.join('.') === path.join('.')));
  const chosen = byHeader ? 'response.nextUrl: link-header' : way.key.join('.');
  return strays.map((path) => ({ path: ['source', ...path], onKey: true, message: `has no meaning with ${chosen}` }));
}

function has(source: SourceInput, path: Path): boolean {
  const [section, key] = path;
  const values: Readonly<Record<string, unknown>> = section === 'query' ? source.query : source.response;
  return values[String(key)] !== undefined;
}

/** Each parameter is written by one hand. */
function parameterProblems(source: SourceInput): readonly Problem[] {
  const { firstPage: _, ...named } = source.query;
  const uses: { readonly path: Path; readonly name: string | undefined }[] = [
    ...Object.entries(named).map(([key, name]) => ({ path: ['source', 'query', key], name })),
    { path: ['source', 'auth', 'query', 'name'], name: source.auth?.query?.name },
    ...Object.keys(source.parameters ?? {}).map((name) => ({ path: ['source', 'parameters', name], name })),
  ];
  return uses.flatMap(({ path, name }, index) => {
    const same = uses.slice(0, index).find((other) => name !== undefined && other.name === name);
    return same ? [{ path, message: `the parameter "${name}" is used already, by ${same.path.join('.')}` }] : [];
  });
}

function lookupProblems(stream: StreamInput): readonly Problem[] {
  const { lookup } = stream.source;
  if (lookup === undefined) return [];
  const path = ['source', 'lookup'];
  const names = [...lookup.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name);
  if (names.length === 0) return [{ path, message: `has no placeholder; write the key's fields in braces, as {${stream.key.at(-1)}}` }];
  const strangers = names.filter((name) => !stream.key.includes(name));
  return strangers.map((name) => ({ path, message: `{${name}} is no column of the key (${stream.key.join(', ')})` }));
}
