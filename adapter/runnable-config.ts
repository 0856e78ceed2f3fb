/** A trigger's run configuration in the spelling of LangChain for JavaScript. */
import type { JsonObject } from "../core/json.ts";
import { rounded } from "../core/long-integer.ts";
import type { RunConfig } from "../core/run-config.ts";

/** A copy: LangChain and the user's code may change what they are given. */
export function runnableConfig(config: RunConfig): JsonObject {
  const { recursion_limit: recursionLimit, ...rest } = rounded(config) as RunConfig;
  return { ...rest, ...(recursionLimit !== undefined && { recursionLimit }) };
}
