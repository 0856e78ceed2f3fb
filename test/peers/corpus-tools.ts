/** Inside LangChain's own tests: hears of every tool that is made, and publishes it at the end of the file. */
import { appendFileSync } from "node:fs";
import { BaseLangChain } from "@langchain/core/language_models/base";
import { RunnableBinding, RunnableToolLike } from "@langchain/core/runnables";
import { StructuredTool } from "@langchain/core/tools";
import { toJsonSchema } from "@langchain/core/utils/json_schema";
import { afterAll, expect } from "vitest";
import { toolServer } from "../../adapter/in-process.ts";
import type { JsonObject } from "../../core/json.ts";
import { explain } from "./corpus-reason.ts";

export interface Published {
  file: string;
  tool: string;
  ours: JsonObject | string;
  langchain: JsonObject | string;
  reasons: string[];
  /** What no reason explains. */
  difference?: unknown;
}

const made = new Set<object>();

type Class = new (...args: never[]) => object;

/** A class between a tool class and its parent, because `super()` asks for the parent each time. */
function hear(tool: unknown, parent: unknown): void {
  class Heard extends (parent as Class) {
    constructor(...args: never[]) {
      super(...args);
      made.add(this);
    }
  }
  Object.setPrototypeOf(tool, Heard);
}

hear(StructuredTool, BaseLangChain);
hear(RunnableToolLike, RunnableBinding);

async function publish(tool: object): Promise<Published> {
  const { name, schema } = tool as { name: string; schema: unknown };
  const server = toolServer(tool);
  const [contract] = await server.listTools();
  const [refused] = await server.unsupported();
  const ours = contract?.inputSchema ?? refused?.reason ?? "nothing";
  const file = expect.getState().testPath ?? "";
  const langchain = langchainSchema(schema);
  return { file, tool: name, ours, langchain, ...explain(tool, ours, langchain) };
}

function langchainSchema(schema: unknown): JsonObject | string {
  try {
    const told = toJsonSchema(schema as Parameters<typeof toJsonSchema>[0]);
    return JSON.parse(JSON.stringify(told)) as JsonObject;
  } catch (error) {
    return String(error);
  }
}

afterAll(async () => {
  for (const tool of made) {
    const line = JSON.stringify(await publish(tool));
    appendFileSync(String(process.env.CORPUS_FOUND), `${line}\n`);
  }
});
