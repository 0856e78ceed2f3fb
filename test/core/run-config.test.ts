/** What a flow's functions and its tool calls know of the run configuration. */
import { expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { replay } from "../../core/replay.ts";
import { runFlow } from "../../core/run.ts";
import { infoOf, type RunConfig, runConfigOf } from "../../core/run-config.ts";
import type { ToolCallOptions, ToolPort } from "../../core/tool.ts";

const user = (config: RunConfig) => config.configurable?.user ?? "nobody";

const curious = flow("curious", { version: "1", input: z.unknown(), output: z.unknown() })
  .step("run", { run: (_, { config }) => user(config), output: z.unknown() })
  .step("tool", {
    tool: "ask",
    when: (_, { config }) => user(config) !== "skip",
    args: (_, { config }) => ({ user: user(config) }),
    output: z.unknown(),
  })
  .step("broken", {
    run: () => Promise.reject(new Error("no")),
    output: z.unknown(),
    onError: { compensate: (_context, _error, { config }) => user(config) },
  })
  .returns(({ run, tool, broken }, { config }) => ({ run, tool, broken, returns: user(config) }));

function listener() {
  const heard: (ToolCallOptions | undefined)[] = [];
  const tools: ToolPort = {
    async callTool(_, args, options) {
      heard.push(options);
      return { content: [], structuredContent: args };
    },
  };
  return { heard, tools };
}

test("every function of a flow reads it, and its tool calls carry it", async () => {
  const { heard, tools } = listener();
  const config = { configurable: { user: "ann" } };
  const { outcome, history } = await runFlow(curious, null, { tools, config });
  const answer = { run: "ann", tool: { user: "ann" }, broken: "ann", returns: "ann" };
  expect(outcome).toEqual({ status: "returned", value: answer });
  expect(heard).toMatchObject([{ config }]);
  expect((await replay(curious, history)).outcome).toEqual(outcome);
});

test("without one they read an empty one, and calls and history hold none", async () => {
  const { heard, tools } = listener();
  const { outcome, history } = await runFlow(curious, null, { tools });
  expect(outcome).toMatchObject({ value: { run: "nobody", returns: "nobody" } });
  expect(heard[0]).not.toHaveProperty("config");
  expect(history[0]).not.toHaveProperty("config");
});

test("one flow's functions cannot leave anything in it for another", () => {
  expect(() => Object.assign(infoOf(undefined).config, { tags: ["left"] })).toThrow(TypeError);
});

test("what says nothing is none", () => {
  for (const nothing of [undefined, null, {}, { tags: [], metadata: {}, configurable: null }])
    expect(runConfigOf(nothing)).toBeUndefined();
});

test("JavaScript's spelling of the limit is taken, and rests as LangServe's", () => {
  expect(runConfigOf({ recursionLimit: 9 })).toEqual({ recursion_limit: 9 });
});

test("what JSON cannot carry is refused by its key", () => {
  const thrown = {
    code: "REQUEST_INVALID",
    message: "config.configurable holds what JSON cannot carry",
  };
  const given = { configurable: { now: () => 1 } };
  expect(() => runConfigOf(given)).toThrow(expect.objectContaining(thrown));
});
