#!/usr/bin/env node
/** What `npx twintrack` starts: an older Node is told what is needed before it meets what it cannot load. */
import { isTooOld, tooOld } from "../node-version.ts";

const version = process.versions.node;
if (isTooOld(version)) {
  const { message, hint } = tooOld(version);
  const error = { code: "USAGE", message, hint };
  const isJson = process.argv.includes("--json");
  process.stderr.write(
    isJson ? `${JSON.stringify({ error })}\n` : `error USAGE: ${message}\n  fix: ${hint}\n`,
  );
  process.exitCode = 2;
} else {
  const { main } = await import("./main.ts");
  await main(process.argv.slice(2));
}
