import type { Reporter, TestModule } from 'vitest/node';

/** Closes a run with one plain line that machines read: `N passed, N failed`. What was skipped stands in the line before. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const broken = modules.filter((module) => module.state() === 'failed' && module.errors().length > 0).length;
    const count = (state: string): number => states.filter((other) => other === state).length;
    const failed = count('failed') + broken + unhandled.length;
    const skipped = count('skipped');
    process.stdout.write(`\n${skipped > 0 ? `${skipped} skipped\n` : ''}${count('passed')} passed, ${failed} failed\n`);
  }
}
