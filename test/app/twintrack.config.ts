import { defineConfig, type FlowConfig } from "../../harness/config.ts";
import {
  add,
  finds,
  findsBeside,
  leaves,
  leavesBeside,
  MISBEHAVIOURS,
  misbehaving,
  pay,
  paysTwice,
} from "./flows.ts";

const legacyAdd = ({ n }: { n: number }) => ({ sum: n + 1 });

/** LangChain is loaded by whoever runs it: most commands do not. */
const legacyPay = () => import("./tools.ts").then((module) => module.payForPieces);

async function legacyFails(): Promise<never> {
  throw new TypeError("legacy is broken");
}

const misbehavers = MISBEHAVIOURS.map((name): [string, FlowConfig] => [
  name,
  {
    legacy: () => legacyAdd,
    candidate: misbehaving(name),
    shadow: { timeoutMs: 300 },
    stage: "shadow",
  },
]);

const neighbours = Object.entries({ leaves, finds, leavesBeside, findsBeside }).map(
  ([name, candidate]): [string, FlowConfig] => [
    name,
    { legacy: () => legacyAdd, candidate: candidate as never, stage: "shadow" },
  ],
);

export default defineConfig({
  tools: { shop: { module: "./tools.ts", effects: { quote: "read" } } },
  flows: {
    add: { legacy: () => legacyAdd, candidate: add, input: add.input, stage: "shadow" },
    pay: { legacy: legacyPay, candidate: pay, stage: "shadow", noise: { sample: 1 } },
    paysTwice: { legacy: legacyPay, candidate: paysTwice, stage: "shadow" },
    fails: { legacy: () => legacyFails, candidate: add, stage: "shadow" },
    slow: {
      legacy: () => () => new Promise(() => undefined),
      candidate: add,
      stage: "shadow",
      timeoutMs: 50,
    },
    endless: {
      legacy: () =>
        async function* endless() {
          for (;;) yield await Promise.resolve("more");
        },
      candidate: add,
      stage: "cutover",
      shadow: { timeoutMs: 300 },
    },
    legacyOnly: { legacy: () => legacyAdd },
    typedOnly: { candidate: add },
    ...Object.fromEntries([...misbehavers, ...neighbours]),
  },
});
