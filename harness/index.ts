// A dual run inside your own process

// Judging, as pure functions
export { compare } from "./compare/compare.ts";
export type { Difference, Verdict } from "./compare/difference.ts";
export { fingerprint } from "./compare/fingerprint.ts";
export type { Rule } from "./compare/rules.ts";
export {
  defineConfig,
  type FlowConfig,
  http,
  loadConfig,
  python,
  type TwintrackConfig,
} from "./config.ts";
export { type Evidence, evaluateGate, type GateResult, type Policy } from "./gate.ts";
export { createTwintrack, type RunAnswer, type Twintrack } from "./twintrack.ts";
