/** What a look at a set-up has found. */
import { isTwintrackError, messageOf } from "../core/error.ts";

export interface Finding {
  /** What was looked at, for example `tools.billing`. */
  check: string;
  status: "ok" | "warning" | "problem";
  detail: string;
  /** What removes it. */
  fix?: string;
  /** The code of the error that a run would have met. */
  code?: string;
}

export function ok(check: string, detail: string): Finding {
  return { check, status: "ok", detail };
}

export function warning(check: string, detail: string, fix: string): Finding {
  return { check, status: "warning", detail, fix };
}

export function problem(check: string, error: unknown): Finding {
  const known = isTwintrackError(error);
  return {
    check,
    status: "problem",
    detail: messageOf(error),
    ...(known ? { code: error.code } : {}),
    ...(known && error.hint ? { fix: error.hint } : {}),
  };
}

export function older(version: string, than: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < than[0] || (major === than[0] && minor < than[1]);
}

/** The oldest `@langchain/core` and `langchain-core` that are tested. */
export const MIN_CORE = [0, 3] as const;
