import type { WindowRef } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { backfillCommand } from './text.ts';
import type { Finding, FindingKind, VerifyReport } from './verify-report.ts';

/** What is stored is not what was stored: no command can make those bytes again. */
const RESTORE: readonly FindingKind[] = [
  'manifest unreadable',
  'manifest missing',
  'page missing',
  'page altered',
  'receipt differs',
  'records differ',
  'batch missing',
  'file missing',
  'file altered',
  'quarantine unreadable',
  'certificate unreadable',
  'certificate chain broken',
  'certificate differs',
];
/** Raw pages hold it, and the warehouse does not: a replay brings it. */
const REPLAY: readonly FindingKind[] = ['not normalized', 'not loaded'];
/** Somebody else wrote into the table; the ledger says that it is loaded, so no later load writes these rows again. */
const ROWS: readonly FindingKind[] = ['row missing', 'row extra', 'row stale', 'row duplicated'];

/** What is worth doing about it: commands, and what no command does as a sentence. The first one first. */
export function nextSteps(
  { name }: Stream,
  findings: readonly Finding[],
  coverage: VerifyReport['coverage'],
  pending: { readonly live: number; readonly backfills: readonly WindowRef[] },
): string[] {
  const option = `--stream ${name}`;
  const replay = `tidemark replay ${option} --from ${coverage.from ?? 'TIME'} --to ${coverage.to ?? 'TIME'}`;
  const any = (kinds: readonly FindingKind[]): boolean => findings.some((finding) => kinds.includes(finding.kind));
  const row = findings.find((finding) => ROWS.includes(finding.kind));
  const [gap] = coverage.gaps;
  return [
    ...(any(RESTORE) ? ['restore the named objects from a copy or an older object version, and verify again'] : []),
    ...(any(REPLAY) ? [replay] : []),
    ...(row ? [`tidemark why ${row.samples[0]?.split(' (')[0] ?? 'KEY'} ${option}`] : []),
    ...(row ? [`name a new warehouse in the configuration and rebuild the table from raw: ${replay}`] : []),
    ...(gap?.deadLetter ? [`tidemark dead-letter retry ${gap.deadLetter} ${option}`] : []),
    ...(gap && !gap.deadLetter ? [`tidemark run --once --sweep ${option}`] : []),
    ...(pending.live > 0 ? [`tidemark run --once ${option}`] : []),
    ...pending.backfills.map((range) => backfillCommand(name, range)),
    ...(findings.some((finding) => finding.kind === 'table moved') ? [`tidemark verify ${option}`] : []),
  ];
}
