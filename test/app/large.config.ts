/** Answers at the edge of what can be compared: a megabyte, and 100,000 levels. */
import { z } from "zod";
import { flow } from "../../core/index.ts";
import { defineConfig, type FlowConfig } from "../../harness/config.ts";

const ROWS = 9_000;
const row = (n: number) => ({
  id: `row ${n}`,
  text: `${n} `.repeat(12),
  flags: { even: n % 2 === 0 },
});
const rows = () => Array.from({ length: ROWS }, (_, n) => row(n));

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = { a: value };
  return value;
}

const schemas = { version: "1", input: z.unknown(), output: z.unknown() };
const compared = (name: string, legacy: unknown, answer: () => unknown): FlowConfig => ({
  legacy: () => () => legacy,
  candidate: flow(name, schemas).returns(answer) as never,
  stage: "shadow",
});

export default defineConfig({
  flows: {
    large: compared("large", rows(), () => [
      ...rows().slice(0, 700),
      row(-1),
      ...rows().slice(700),
    ]),
    deep: compared("deep", { a: 1 }, () => nested(100_000)),
  },
});
