import { formatDuration, SECOND } from '../time.ts';
import type { LatenessFigures, RequestCounts, Scorecard, ScorecardDay, ScorecardExample } from './scorecard-report.ts';
import { type Paint, plain, plural, readable, table } from './text.ts';

/** As it can be sent to the partner: what happened each day, then what was agreed otherwise. */
export function formatScorecard(card: Scorecard, paint: Paint = plain): string {
  const title = `${card.stream}, ${card.from.slice(0, 10)} to ${card.to.slice(0, 10)} (days in UTC, the end not included)`;
  if (card.days.length === 0) return `${paint('bold', title)}\n  nothing was asked for and nothing was pushed in these days`;
  const { total } = card;
  const rows = (head: readonly string[], cells: (day: Omit<ScorecardDay, 'day' | 'typeChanges'>) => readonly (string | number)[]): string =>
    table([['day', ...head], ...card.days.map((day) => [day.day, ...cells(day)]), ['all', ...cells(total)]]);
  return [
    paint('bold', title),
    '',
    paint('bold', 'Answers'),
    rows(['requests', 'well', '429', '5xx', 'broken', 'no answer', 'no page', 'short', 'repeated'], ({ requests }) => answers(requests)),
    '',
    paint('bold', 'Records'),
    rows(['pushes', 'pages', 'records', 'repeated', 'refused', 'changed silently'], (day) => [
      day.pushes,
      day.pages,
      day.records,
      day.repeatedRecords,
      day.refusedRecords,
      day.silentChanges,
    ]),
    '',
    paint('bold', 'Lateness, from the version time to the landing; the wait until we asked is in it'),
    rows(['first seen', 'late', 'p50', 'p95', 'p99', 'most'], ({ lateness }) => latenessCells(lateness)),
    '',
    paint('bold', 'Against what was agreed'),
    ...breaches(card),
    ...card.unreadable.map((problem) => `  not counted: ${problem}`),
  ].join('\n');
}

function answers({ asked, limited, failed, reset, stalled, noPage, short, duplicated }: RequestCounts): (string | number)[] {
  const bad = limited + failed + reset + stalled + noPage;
  const well = asked === 0 ? '–' : `${(((asked - bad) / asked) * 100).toFixed(1)}%`;
  return [asked, well, limited, failed, reset, stalled, noPage, short, duplicated];
}

const latenessCells = ({ records, late, p50, p95, p99, most }: LatenessFigures): (string | number)[] => [
  records,
  late,
  ...[p50, p95, p99, most].map((seconds) => (seconds === null ? '–' : formatDuration(seconds * SECOND))),
];

function breaches({ days, total, bounds, examples }: Scorecard): string[] {
  const bound = formatDuration(bounds.latenessSeconds * SECOND);
  const changes = days.flatMap(({ day, typeChanges }) =>
    typeChanges.map(({ path, from, to }) => `    ${day}  ${path}: ${from} became ${to}`),
  );
  return [
    `  ${plural(total.lateness.tooLate, 'record')} came later than ${bound} for certain`,
    ...examples.tooLate.map(exampleLine),
    `  ${plural(total.silentChanges, 'content')} came under a version that had another content before`,
    ...examples.silentChanges.map(exampleLine),
    `  ${plural(changes.length, 'field')} changed type, or outgrew it`,
    ...changes,
  ];
}

const exampleLine = ({ key, version, landedAt }: ScorecardExample): string =>
  `    ${key.join('/')}  version ${version.join(' ')}  landed ${readable(landedAt)}`;
