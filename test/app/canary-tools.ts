import { tool } from "@langchain/core/tools";
import { z } from "zod";

/** Tells what it was told: its result holds whatever its arguments hold. */
export const remember = tool(async ({ note }) => ({ remembered: `I keep ${note}` }), {
  name: "remember",
  description: "Keeps a note.",
  schema: z.object({ note: z.string() }),
});

export const tools = [remember];
