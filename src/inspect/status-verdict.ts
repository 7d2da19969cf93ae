import { formatDuration, SECOND } from '../time.ts';
import type { StreamStatus, StreamVerdict } from './status-report.ts';
import { plural, readable } from './text.ts';

type Facts = Omit<StreamStatus, 'verdict'>;

const SAFE = 'What has landed is kept, and what is loaded is right; a later run goes on from there.';

/** What is the matter with a stream, why, and what to do; pure. */
export function judgeStream(facts: Facts): StreamVerdict {
  const { stream, fetchedWatermark, freshnessSeconds, deadlineSeconds, held, deadLetters, open } = facts;
  const base = { why: reasons(facts), safe: SAFE, next: commands(facts) };
  const fresh = freshnessSeconds === null ? null : freshnessSeconds <= deadlineSeconds;
  const late =
    freshnessSeconds === null
      ? 'nothing is loaded yet'
      : `loaded up to ${readable(facts.loadedWatermark)}, ${span(freshnessSeconds)} ago; the deadline is ${span(deadlineSeconds)}`;
  if (fetchedWatermark === null && open.length === 0)
    return { ...base, state: 'never run', what: `${stream} never ran.`, safe: 'Nothing has landed yet.' };
  if (held.length > 0)
    return { ...base, state: 'held', what: `${plural(held.length, 'batch is', 'batches are')} held at the gate; ${late}.` };
  if (deadLetters.length > 0)
    return { ...base, state: 'incomplete', what: `${plural(deadLetters.length, 'dead letter is', 'dead letters are')} open; ${late}.` };
  return fresh ? { ...base, state: 'ok', what: `Fresh: ${late}.` } : { ...base, state: 'late', what: `Late: ${late}.` };
}

const span = (seconds: number): string => formatDuration(seconds * SECOND);

function reasons(facts: Facts): string[] {
  const { holder, open, pending, deadLetters, held, due, quarantine, loadedWatermarkIsEstimate } = facts;
  const landed = pending.filter((window) => window.state !== 'held').length;
  const gaps = deadLetters.filter((letter) => letter.gap !== null);
  const refused = quarantine.reduce((sum, { records }) => sum + records, 0);
  return [
    ...held.slice(0, 1).map(({ batch, reason }) => `batch ${batch.slice(0, 8)}… is held: ${reason}`),
    ...gaps.slice(0, 1).map(({ id, gap }) => `the loaded watermark waits at ${readable(gap?.from ?? null)} for dead letter ${id}`),
    ...(holder?.state === 'gone' ? [`process ${holder.pid} on ${holder.host} held the stream and is gone`] : []),
    ...(open.length > 0
      ? [`${plural(open.length, 'window was', 'windows were')} begun and not committed${isWorking(holder) ? '; a process is at it' : ''}`]
      : []),
    ...(landed > 0
      ? [`${plural(landed, 'window is', 'windows are')} landed and not loaded${isWorking(holder) ? '; a process is at it' : ''}`]
      : []),
    ...(due.length > 0 && holder === null ? [`${plural(due.length, 'window is', 'windows are')} due, and nobody runs the stream`] : []),
    ...(refused > 0 ? [`${plural(refused, 'refused record waits', 'refused records wait')} in quarantine; they hold nothing back`] : []),
    ...(isLost(facts) ? ['the warehouse holds nothing of what was loaded before: it was lost or replaced; raw has it all'] : []),
    ...(loadedWatermarkIsEstimate ? ['the warehouse could not be asked; the loaded watermark is told from the state'] : []),
  ];
}

const isWorking = (holder: Facts['holder']): boolean => holder !== null && holder.state !== 'gone';

/** Windows were settled, but the warehouse knows of none: it was lost, and raw has everything. */
const isLost = ({ since, pending, loadedWatermark, loadedWatermarkIsEstimate }: Facts): boolean =>
  since !== null && pending.length === 0 && loadedWatermark === null && !loadedWatermarkIsEstimate;

function commands(facts: Facts): string[] {
  const { stream, since, fetchedWatermark, held, deadLetters, quarantine, due, open, pending, holder, backfills } = facts;
  const lost = isLost(facts);
  const option = `--stream ${stream}`;
  const [batch] = held;
  const [letter] = deadLetters;
  const idle = due.length + open.length + pending.filter((window) => window.state !== 'held').length > 0 && !isWorking(holder);
  return [
    ...(batch ? [`tidemark held show ${batch.batch} ${option}`] : []),
    ...(letter ? [`tidemark dead-letter retry ${letter.id} ${option}`] : []),
    ...(idle ? [`tidemark run --once ${option}`] : []),
    ...(lost ? [`tidemark replay --from ${since} --to ${fetchedWatermark} ${option}`] : []),
    ...backfills.map(({ goOn }) => goOn),
    ...(quarantine.length > 0 ? [`tidemark quarantine list ${option}`] : []),
  ];
}
