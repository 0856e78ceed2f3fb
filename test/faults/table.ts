/** Prints, after a run, what became of each fault of the catalogue that its tests name. */
import type { Reporter, TestModule } from "vitest/node";

const NUMBERS = /^(?:[A-H]\d+, )*[A-H]\d+(?=: )/;

export default class FaultTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = new Map<string, { passed: number; failed: number; skipped: number }>();
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        for (const fault of NUMBERS.exec(test.name)?.[0].split(", ") ?? []) {
          const row = rows.get(fault) ?? { passed: 0, failed: 0, skipped: 0 };
          if (state !== "pending") row[state]++;
          rows.set(fault, row);
        }
      }
    }
    const order = (fault: string) => fault[0] + fault.slice(1).padStart(3, "0");
    const faults = [...rows].sort(([a], [b]) => (order(a) < order(b) ? -1 : 1));
    for (const [fault, { passed, failed, skipped }] of faults) {
      const verdict = failed > 0 ? "FAILED" : passed > 0 ? "survived" : "not run";
      const skips = skipped > 0 ? `, ${skipped} skipped` : "";
      process.stdout.write(
        `${fault.padEnd(4)} ${verdict}: ${passed} passed, ${failed} failed${skips}\n`,
      );
    }
  }
}
