/** Loads our sources from where their types are stripped already: see `stripped.ts`. */
import { readFileSync, statSync } from "node:fs";
import { registerHooks } from "node:module";

const SOURCES = new URL("..", import.meta.url).href;
const STRIPPED = `${new URL(import.meta.url).search.slice(1)}/`;

/** Nothing of a file that has been changed since, or was never stripped. */
function stripped(url) {
  const file = new URL(STRIPPED + url.slice(SOURCES.length));
  const made = statSync(file, { throwIfNoEntry: false });
  const isFresh = made && made.mtimeMs >= statSync(new URL(url)).mtimeMs;
  return isFresh ? readFileSync(file, "utf8") : undefined;
}

registerHooks({
  load(url, context, next) {
    const source = url.startsWith(SOURCES) && url.endsWith(".ts") ? stripped(url) : undefined;
    return source === undefined
      ? next(url, context)
      : { format: "module", source, shortCircuit: true };
  },
});
