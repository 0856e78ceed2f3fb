/** Real LangChain tools that behave badly: they throw, never end, or print where only data belongs. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";

console.log("a banner, as many packages print one while they load");

const named = (name: string) => ({ name, description: name, schema: z.object({}) });

const throws = tool(async () => {
  throw new RangeError("out of paper");
}, named("throws"));

/** Keeps its process alive as well, as a tool with an open connection does. */
const hangs = tool(() => {
  setInterval(() => undefined, 1_000);
  return new Promise<string>(() => undefined);
}, named("hangs"));

const prints = tool(async () => {
  console.log("printed with console.log");
  process.stdout.write("written to stdout\n");
  return "quiet";
}, named("prints"));

export const tools = [throws, hangs, prints];
