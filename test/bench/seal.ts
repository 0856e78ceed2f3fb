/**
 * What safety at rest costs: a frame of 2 KB sealed against the same frame unsealed, which is all
 * that the live path pays; and a value masked against the same value written as JSON and read back,
 * which is what a shadow process does with it anyway.
 */
import { encodeFrame } from "../../harness/frame.ts";
import { openPrivacy } from "../../harness/privacy/privacy.ts";
import { headerOf, PAYLOAD } from "../app/frame.ts";
import { type Comparison, interleave, threadCpuUs } from "./measure.ts";

const ROUNDS = 15;
const TIMED_MS = 60;
const WARM_UP_ROUNDS = 5;

const key = { TWINTRACK_KEY: Buffer.alloc(32, 3).toString("base64") };
const sealing = openPrivacy({ dataDir: "", privacy: {} }, key);
const plain = openPrivacy({ dataDir: "", privacy: { seal: false, mask: false } }, key);

const header = headerOf({ epoch: "00000000-0000-0000-0000-000000000000", flow: "bench" });

const lines = Array.from({ length: 12 }, (_, n) => ({
  id: `line-${n}`,
  text: "The parcel left the warehouse on time and has not come back since then.",
  cents: 1_000 + n,
}));

const payload = {
  ...PAYLOAD,
  input: { lines },
  outcome: { status: "returned" as const, value: { lines: lines.slice(0, 3) } },
};

/** Microseconds of CPU per call. */
function costOf(call: () => unknown): number {
  const startedMs = performance.now();
  const beforeUs = threadCpuUs();
  let calls = 0;
  for (; performance.now() - startedMs < TIMED_MS; calls += 20) for (let n = 0; n < 20; n++) call();
  return (threadCpuUs() - beforeUs) / calls;
}

async function compared(
  metric: string,
  [baseName, base]: [string, () => unknown],
  [oursName, ours]: [string, () => unknown],
  ratio: number,
): Promise<Comparison> {
  const cases = {
    ours: async () => costOf(ours),
    base: async () => costOf(base),
    again: async () => costOf(base),
  };
  await interleave(cases, WARM_UP_ROUNDS);
  const rounds = await interleave(cases, ROUNDS);
  return {
    metric,
    base: { name: baseName, rounds: rounds.base, again: rounds.again },
    ours: { name: oursName, rounds: rounds.ours },
    goal: { kind: "atMost", ratio },
  };
}

export async function sealing2Kb(): Promise<Comparison[]> {
  return [
    await compared(
      "CPU, µs per frame",
      ["unsealed", () => encodeFrame(header, payload, plain.vault)],
      ["sealed", () => encodeFrame(header, payload, sealing.vault)],
      3,
    ),
    await compared(
      "CPU, µs per value",
      ["JSON", () => JSON.parse(JSON.stringify(payload.input))],
      ["masked", () => sealing.mask.json(payload.input)],
      10,
    ),
  ];
}
