/** Tells the audit when a server starts with another configuration than the last one. */
import { canonicalText, digest, type JsonValue, toJson } from "../../core/json.ts";
import type { ResolvedConfig } from "../config.ts";
import { appendAudit, lastOf } from "../store/audit.ts";
import type { Database } from "../store/database.ts";

/** @returns true when an entry was written */
export function noteConfig(db: Database, config: ResolvedConfig, who: string): Promise<boolean> {
  const about = digestsOf(config);
  return db.transaction(async (query) => {
    const last = await lastOf(query, "config");
    if (last && canonicalText(last.about) === canonicalText(about)) return false;
    await appendAudit(query, { event: "config", who, about });
    return true;
  });
}

/** What decides over verdicts and data, as digests: rules and policies by flow, privacy as a whole. */
function digestsOf({ flows, privacy }: ResolvedConfig) {
  const short = (value: unknown) => digest(canonicalText(plain(value))).slice(0, 16);
  const of = (pick: (flow: ResolvedConfig["flows"][string]) => unknown) =>
    Object.fromEntries(Object.entries(flows).map(([name, flow]) => [name, short(pick(flow))]));
  return {
    flows: Object.keys(flows).sort(),
    privacy: short(privacy),
    rules: of(({ compare }) => compare?.rules ?? []),
    gates: of(({ gate }) => gate ?? {}),
  };
}

/** Functions have no digest: that one changed, the code's own history tells. */
function plain(value: unknown): JsonValue {
  return toJson(value).value;
}
