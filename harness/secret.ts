/** Secrets: from the environment, or from a file that it names. */
import { readFileSync } from "node:fs";
import { messageOf, TwintrackError } from "../core/error.ts";

/**
 * A secret from the environment, or from the file that `<NAME>_FILE` names.
 *
 * @throws {TwintrackError} `CONFIG_INVALID` when that file cannot be read.
 */
export function secretOf(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const file = env[`${name}_FILE`];
  if (env[name] || !file) return env[name] || undefined;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new TwintrackError(
      "CONFIG_INVALID",
      `${name}_FILE names ${file}, which cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}
