import { DERIVED, LINEAGE, OVERFLOW } from '../schema/types.ts';
import { HEALTH_PATH } from '../stream.ts';
import { defaultListenPath } from './build-listen.ts';
import { type ConfigurationInput, STREAM_NAME, type StreamInput } from './definition.ts';
import type { Path } from './document.ts';
import { pollOf } from './poll.ts';
import type { Problem } from './problems.ts';
import { sourceReferences } from './source-references.ts';

/** A check between fields. It runs where nothing is wrong with the fields themselves, all of which stand in `needs`. */
export interface ReferenceCheck {
  readonly needs: readonly Path[];
  readonly check: (stream: StreamInput) => readonly Problem[];
}

const RESERVED: ReadonlySet<string> = new Set([...Object.values(LINEAGE), OVERFLOW, DERIVED]);

const STREAM_CHECKS: readonly ReferenceCheck[] = [
  { needs: [['key'], ['version']], check: columnProblems },
  { needs: [['key'], ['environment']], check: environmentProblems },
  { needs: [['latestBy']], check: latestProblems },
  { needs: [['clusterBy'], ['version']], check: clusterProblems },
  { needs: [['personal']], check: personalProblems },
  { needs: [['contract']], check: contractProblems },
  { needs: [['poll']], check: pollProblems },
  { needs: [['quality', 'volume']], check: bandProblems },
  { needs: [['quality', 'rows']], check: rowsProblems },
  ...sourceReferences,
];

/**
 * What is wrong between fields of one stream.
 * @param isWrong whether something was found at, above or below a path of the stream.
 */
export function streamProblems(stream: StreamInput, isWrong: (path: Path) => boolean): readonly Problem[] {
  return STREAM_CHECKS.filter(({ needs }) => !needs.some(isWrong)).flatMap(({ check }) => check(stream));
}

/** What is wrong with the streams' names: they become names of tables, and a view and a table cannot share one. */
export function namesProblems(names: readonly string[]): readonly Problem[] {
  return names.flatMap((name) => {
    const place = { path: ['streams', name], onKey: true };
    if (!STREAM_NAME.test(name))
      return [{ ...place, message: 'expected a stream name of lower-case letters, digits and _, a letter first' }];
    const shown = name.replace(/_latest$/, '');
    return shown !== name && names.includes(shown) ? [{ ...place, message: `is the name of the view of ${shown}; choose another` }] : [];
  });
}

/** Each place takes the pushes of one stream. */
export function listenProblems(streams: ConfigurationInput['streams']): readonly Problem[] {
  const places = Object.entries(streams).flatMap(([name, { listen }]) =>
    typeof listen === 'object' && listen !== null ? [{ name, at: listen.path ?? defaultListenPath(name) }] : [],
  );
  return places.flatMap(({ name, at }, index) => {
    const path = ['streams', name, 'listen', 'path'];
    if (at === HEALTH_PATH) return [{ path, message: `${HEALTH_PATH} tells whether the listener lives; choose another` }];
    const same = places.slice(0, index).find((other) => other.at === at);
    return same ? [{ path, message: `${at} takes the pushes of ${same.name} already` }] : [];
  });
}

/** A folder has neither region nor key. */
export function storeProblems(store: ConfigurationInput['store']): readonly Problem[] {
  if (typeof store === 'string' || !store.url.startsWith('file:')) return [];
  const strays = Object.keys(store).filter((key) => key !== 'url');
  return strays.map((key) => ({ path: ['store', key], onKey: true, message: 'has no meaning for a folder' }));
}

function columnProblems(stream: StreamInput): readonly Problem[] {
  const columns = [
    ...stream.key.map((name, index) => place('key', index, name)),
    ...stream.version.map((name, index) => place('version', index, name)),
  ];
  return columns.flatMap(({ path, name }, index) => {
    if (RESERVED.has(name.toLowerCase())) return [{ path, message: `"${name}" is a column of Tidemark's own` }];
    const same = columns.slice(0, index).find((other) => other.name.toLowerCase() === name.toLowerCase());
    return same ? [{ path, message: `"${name}" is named already, in ${same.path[0]}` }] : [];
  });
}

const place = (list: string, index: number, name: string): { readonly path: Path; readonly name: string } => ({
  path: [list, index],
  name,
});

function environmentProblems(stream: StreamInput): readonly Problem[] {
  const { environment, key } = stream;
  if (typeof environment !== 'object' || environment.field === 'environment') return [];
  const index = key.indexOf('environment');
  if (index < 0) return [];
  return [{ path: ['key', index], message: `the records carry their environment in "${environment.field}"; write that name here` }];
}

function latestProblems(stream: StreamInput): readonly Problem[] {
  return (stream.latestBy ?? []).flatMap((name, index, all) => {
    if (RESERVED.has(name.toLowerCase())) return [{ path: ['latestBy', index], message: `"${name}" is a column of Tidemark's own` }];
    return all.indexOf(name) < index ? [{ path: ['latestBy', index], message: `"${name}" is named already` }] : [];
  });
}

/** What changes with every version cannot tell where a key's row is. */
function clusterProblems({ clusterBy, version }: StreamInput): readonly Problem[] {
  if (clusterBy === undefined) return [];
  const path = ['clusterBy'];
  if (RESERVED.has(clusterBy.toLowerCase())) return [{ path, message: `"${clusterBy}" is a column of Tidemark's own` }];
  return version.includes(clusterBy) ? [{ path, message: `"${clusterBy}" changes with every version of a key` }] : [];
}

function personalProblems(stream: StreamInput): readonly Problem[] {
  return (stream.personal ?? []).flatMap((path, index, all) => {
    const wider = all.find((other, at) => (at < index && other === path) || path.startsWith(`${other}.`));
    return wider === undefined ? [] : [{ path: ['personal', index], message: `"${path}" is covered already, by "${wider}"` }];
  });
}

function contractProblems(stream: StreamInput): readonly Problem[] {
  return Object.keys(stream.contract ?? {}).flatMap((name) => {
    const place = { path: ['contract', name], onKey: true };
    if (name !== '$' && name.split('.').includes(''))
      return [{ ...place, message: 'expected $ or a path of field names, as payload.customer' }];
    const isFixed = [...stream.key, ...stream.version].includes(name);
    return isFixed ? [{ ...place, message: `${name} is part of the key or the version, which every record has` }] : [];
  });
}

function pollProblems(stream: StreamInput): readonly Problem[] {
  const poll = pollOf(stream.poll);
  const written = (name: 'every' | 'lateness') => stream.poll?.[name] ?? 'the default';
  const problems: Problem[] = [];
  if (poll.outOfOrder > poll.lateness) {
    problems.push({ path: ['poll', 'outOfOrder'], message: `is longer than lateness (${written('lateness')}), which bounds it` });
  }
  if (poll.overlap.least > poll.overlap.most) {
    problems.push({ path: ['poll', 'overlap'], message: 'is upside down: least is longer than most' });
  }
  if (poll.deadline < poll.every) {
    problems.push({ path: ['poll', 'deadline'], message: `is shorter than every (${written('every')}): no record could keep it` });
  }
  return problems;
}

function rowsProblems(stream: StreamInput): readonly Problem[] {
  const isEmpty = Object.hasOwn(stream.quality?.rows ?? {}, '');
  return isEmpty ? [{ path: ['quality', 'rows', ''], onKey: true, message: 'expected the name of a top-level field' }] : [];
}

function bandProblems(stream: StreamInput): readonly Problem[] {
  const [low, high] = stream.quality?.volume?.band ?? [0, 1];
  const path = ['quality', 'volume', 'band'];
  if (high === 0) return [{ path, message: 'holds every batch that has rows; the second number is the most that passes' }];
  return low > high ? [{ path, message: `is upside down: ${low} is greater than ${high}` }] : [];
}
