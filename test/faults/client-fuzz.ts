/** A child that says damaged things: our client answers every call, and keeps no memory of it. */
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import { pythonTools } from "../../adapter/python.ts";
import { isTwintrackError } from "../../core/error.ts";
import { textOf } from "../../core/tool.ts";

const FRAMES_PER_CALL = 500;
const ALLOWED_BYTES = 16 * 1024 * 1024;

export async function expectClientSurvives(frames: number, seed: number): Promise<void> {
  const server = pythonTools({
    target: `babble ${seed} ${FRAMES_PER_CALL}`,
    interpreter: fileURLToPath(new URL("babbler.mjs", import.meta.url)),
  });
  let answered = 0;
  let progress = 0;
  try {
    await server.listTools();
    const before = keptBytes();
    const calls = Math.ceil(frames / FRAMES_PER_CALL);
    for (let call = 0; call < calls; call += 1) {
      // Damage may make an answer to this very call, for better or worse; it must never hang.
      const outcome = await server
        .callTool("x", {}, { timeoutMs: 60_000, onProgress: () => (progress += 1) })
        .then(textOf, (error: unknown) => {
          expect(isTwintrackError(error)).toBe(true);
          expect((error as { code: string }).code).not.toMatch(/TIMEOUT|PYTHON/);
          return "failed";
        });
      if (outcome === "right") answered += 1;
    }
    expect(progress).toBeGreaterThan(calls);
    expect(answered).toBeGreaterThan(calls * 0.5);
    expect(keptBytes() - before).toBeLessThan(ALLOWED_BYTES);
  } finally {
    await server.close();
  }
}

/** What is still referred to: the resident size says more of the collector's mood. */
function keptBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
