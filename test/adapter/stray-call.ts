/** A shadow process that calls a tool on its own, and then through a tool server; prints both ends. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { chain } from "../../adapter/capture.ts";
import { toolServer } from "../../adapter/in-process.ts";

const rows = tool(async () => "2 rows", { name: "rows", description: "", schema: z.object({}) });

await chain(() => null).invoke({}, { tools: { mode: "live" }, effects: {} });
const stray = await rows.invoke({}).catch((refusal: { code?: string }) => refusal.code);
const { isError, content } = await toolServer([rows]).callTool("rows", {});

console.log(JSON.stringify({ stray, throughPort: { isError, content } }));
