/**
 * Warns of a chain whose calls escape the record.
 *
 * Interception patches the copies of LangChain that are on the disk as packages. A bundler puts
 * another one into its output; then nothing that the chain does is recorded, and no shadow can be
 * answered from it. Such a chain is so from its first run on, so only the first few are watched.
 */
import type { ChainRun } from "./chain.ts";

const WATCHED_RUNS = 3;

/** What LangChain itself announces of one run. */
export interface Watch {
  callbacks: readonly object[];
  /** Compares it with what was recorded. */
  check(run: Pick<ChainRun, "calls" | "modelCalls">): void;
}

/** Gives the watch of one chain's next run; undefined when it has been watched often enough. */
export function unrecordedWatch(): () => Watch | undefined {
  let runs = 0;
  let hasWarned = false;
  return () => {
    if (hasWarned || ++runs > WATCHED_RUNS) return undefined;
    const seen = { tools: 0, models: 0 };
    const handler = {
      name: "twintrack",
      handleToolStart: () => void seen.tools++,
      handleChatModelStart: () => void seen.models++,
      handleLLMStart: () => void seen.models++,
    };
    return {
      callbacks: [handler],
      check({ calls, modelCalls }) {
        const escaped = [
          ...(seen.tools > 0 && calls.length === 0 ? ["tools"] : []),
          ...(seen.models > 0 && modelCalls.length === 0 ? ["models"] : []),
        ];
        if (escaped.length === 0) return;
        hasWarned = true;
        warn(escaped.join(" and "));
      },
    };
  };
}

function warn(what: string): void {
  process.emitWarning(
    `A chain calls its ${what} through a copy of @langchain/core that is no installed package, as a bundler makes one: these calls are not recorded, and a shadow cannot be answered from them`,
    {
      type: "TwintrackWarning",
      code: "TWINTRACK_UNRECORDED",
      detail:
        'Keep LangChain and twintrack out of the bundle; in Next.js: serverExternalPackages: ["twintrack", "@langchain/core", …].',
    },
  );
}
