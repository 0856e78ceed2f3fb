/** Flows whose legacy and whose tool need a run configuration, in both languages. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, python } from "../../harness/config.ts";
import type { FlowConfig } from "../../harness/flow-config.ts";

const cwd = fileURLToPath(new URL(".", import.meta.url));
const inPython = (name: string) => python(`configured:${name}`, { cwd });
const inJavaScript = (name: "seating" | "thread" | "chat") => () =>
  import("./configured.ts").then((chains) => chains[name]);

const Wish = z.object({ row: z.number() });

/** What it has of the configuration, its functions read; what the tool has of it, the tool reads. */
const candidate = (name: string, desk: string) =>
  flow(name, { version: "1", input: Wish, output: z.unknown() })
    .step("seat", {
      tool: `${desk}.seat`,
      when: (_, { config }) => config.configurable?.is_standing !== true,
      args: ({ input }) => ({ row: input.row }),
      output: z.string(),
      undo: ({ args }, { call }) => call(`${desk}.seat`, args),
    })
    .step("tenant", { run: (_, { config }) => config.metadata?.tenant ?? null })
    .returns(({ seat, tenant }, { config }) => ({
      said: seat,
      tenant,
      isVip: config.tags?.includes("vip") ?? false,
      limit: config.recursion_limit ?? null,
    })) as never;

const threaded = (name: string, desk: string) =>
  flow(name, { version: "1", input: Wish, output: z.unknown() })
    .step("seat", {
      tool: `${desk}.seat`,
      args: ({ input }) => ({ row: input.row }),
      output: z.string(),
    })
    .returns(({ input, seat }, { config }) => ({
      row: input.row,
      said: [`0 before, ${(config.context as { desk?: string })?.desk}: ${seat}`],
    })) as never;

const forgetful = (name: string) =>
  flow(name, { version: "1", input: z.string(), output: z.string() }).returns(
    ({ input }) => `0 before ${input}`,
  ) as never;

const shadowed: FlowConfig = { stage: "shadow", noise: { sample: 1 } };
const seating = {
  ...shadowed,
  legacy: inJavaScript("seating"),
  candidate: candidate("seating", "desk"),
  subject: (_, { configurable }) => configurable?.passenger_id as string | undefined,
  canaryKey: (_, { configurable }) => String(configurable?.passenger_id),
} satisfies FlowConfig;
const seatingInPython = {
  ...shadowed,
  legacy: inPython("seating"),
  candidate: candidate("seatingInPython", "pydesk"),
} satisfies FlowConfig;

export default defineConfig({
  tools: {
    desk: { module: "./configured.ts", effects: { seat: "write" } },
    pydesk: { python: "configured:TOOLS", cwd, effects: { seat: "write" } },
  },
  flows: {
    seating,
    seatingInPython,
    seatingAfter: { ...seating, stage: "cutover" },
    seatingInPythonAfter: { ...seatingInPython, stage: "cutover" },
    chat: { ...shadowed, legacy: inJavaScript("chat"), candidate: forgetful("chat") },
    chatInPython: {
      ...shadowed,
      legacy: inPython("chat"),
      candidate: forgetful("chatInPython"),
    },
    thread: {
      ...shadowed,
      legacy: inJavaScript("thread"),
      candidate: threaded("thread", "desk"),
    },
    threadInPython: {
      ...shadowed,
      legacy: inPython("thread"),
      candidate: threaded("threadInPython", "pydesk"),
    },
  },
});
