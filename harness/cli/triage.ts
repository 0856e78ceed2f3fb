/** What people say of divergences: decisions, merges and splits, on the store. */
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { clusterOf } from "../model-version.ts";
import { blocks } from "../report/divergence.ts";
import type { Decision, DivergenceRow } from "../report/rows.ts";
import { clusterText } from "../report/words.ts";
import type { Database } from "../store/database.ts";
import { decide, divergenceRows } from "../store/divergences.ts";
import {
  mergeDivergences,
  restoreDivergence,
  type SplitBy,
  type Statement,
  splitDivergence,
  triageHistory,
} from "../store/groupings.ts";
import { modelRow, tellModels } from "../store/model-rows.ts";
import type { Desk, StoreCommand } from "./commands.ts";
import { EXIT, type Reply, textOf } from "./reply.ts";

const DECISIONS: readonly Decision["decision"][] = [
  "candidate_bug",
  "intended",
  "noise",
  "legacy_bug",
  "unsure",
];

/** @throws {TwintrackError} `USAGE` */
function decisionOf(given: string): Decision["decision"] {
  const decision = DECISIONS.find((one) => one === given);
  if (decision) return decision;
  throw new TwintrackError("USAGE", `--as ${given} is no decision`, {
    hint: `One of ${DECISIONS.join(", ")}.`,
  });
}

/** A decision that excuses a difference has an end, so that somebody looks again. */
const EXCUSED_DAYS = 90;
const DAY_MS = 86_400_000;

/** @throws {TwintrackError} `USAGE` */
function endOf(decision: Decision["decision"], until: JsonValue | undefined): string | null {
  if (until === "never") return null;
  if (typeof until !== "string") {
    const blocks = decision === "candidate_bug" || decision === "unsure";
    return blocks ? null : new Date(Date.now() + EXCUSED_DAYS * DAY_MS).toISOString();
  }
  if (!Number.isNaN(Date.parse(until))) return new Date(until).toISOString();
  throw new TwintrackError("USAGE", `--until ${until} is no date`, {
    hint: "Like 2026-12-31, 2026-12-31T12:00:00Z, or never.",
  });
}

/** @throws {TwintrackError} `USAGE` listing the divergences there are. */
async function checkKnown(
  { db }: Desk,
  flow: string,
  fingerprints: readonly string[],
): Promise<DivergenceRow[]> {
  const rows = await divergenceRows(db, flow, fingerprints);
  const known = rows.map((row) => row.fingerprint);
  const unknown = fingerprints.find((fingerprint) => !known.includes(fingerprint));
  if (unknown === undefined) return rows;
  throw new TwintrackError("USAGE", `Flow "${flow}" has no divergence ${unknown}`, {
    hint: `It has: ${known.join(", ") || "none"}.`,
  });
}

function statementOf(args: JsonObject): Statement {
  return { who: textOf(args, "who"), why: textOf(args, "why") };
}

function splitByOf(by: JsonValue | undefined): SplitBy {
  if (by === "path") return "place";
  if (by === "message") return "message";
  throw new TwintrackError("USAGE", `--by ${String(by)} is nothing to split by`, {
    hint: "--by path (the exact path) or --by message (what an error says).",
  });
}

function done(flow: string, data: JsonObject): Reply {
  const next = [`twintrack gate ${flow}`];
  return { command: "triage", exitCode: EXIT.ok, data: { flow, ...data }, next };
}

/** Who decides should know that the divergence comes with a model version. */
async function modelOf(db: Database, divergence: DivergenceRow | undefined): Promise<JsonObject> {
  if (!divergence) return {};
  const { models: all } = await modelRow(db, divergence.flow);
  if (all) await tellModels(db, divergence.flow, [divergence]);
  const shown = divergence.models;
  const model = all && shown && clusterOf(shown, all);
  return model ? { model: model as unknown as JsonValue, modelText: clusterText(model) } : {};
}

export const TRIAGE_COMMANDS: Record<string, StoreCommand> = {
  async triage(desk, args) {
    const flow = textOf(args, "flow");
    const fingerprint = textOf(args, "fingerprint");
    const known = await checkKnown(desk, flow, [fingerprint]);
    const divergence = known.find((row) => row.fingerprint === fingerprint);
    const statement = statementOf(args);
    const decision = decisionOf(textOf(args, "as"));
    const owner = typeof args.owner === "string" ? args.owner : statement.who;
    const said = { decision, ...statement, owner, until: endOf(decision, args.until) };
    await decide(desk.db, flow, fingerprint, said);
    return done(flow, { fingerprint, ...said, ...(await modelOf(desk.db, divergence)) });
  },

  async "triage merge"(desk, args) {
    const flow = textOf(args, "flow");
    const merged = [
      ...new Set(
        textOf(args, "merge")
          .split(",")
          .map((one) => one.trim()),
      ),
    ];
    if (merged.length < 2) {
      throw new TwintrackError("USAGE", `--merge ${merged.join()} names one divergence`, {
        hint: "Name two or more, with commas between them; the first gives the name.",
      });
    }
    await checkKnown(desk, flow, merged);
    await mergeDivergences(desk.db, flow, merged, statementOf(args));
    return done(flow, { fingerprint: merged[0] ?? "", merged });
  },

  async "triage split"(desk, args) {
    const flow = textOf(args, "flow");
    const fingerprint = textOf(args, "split");
    const by = splitByOf(args.by);
    await checkKnown(desk, flow, [fingerprint]);
    await splitDivergence(desk.db, flow, fingerprint, by, statementOf(args));
    const divergences = await divergenceRows(desk.db, flow);
    const parts = divergences.filter(
      ({ members, grouping }) => grouping.kind === "split" && members.includes(fingerprint),
    );
    return done(flow, {
      fingerprint,
      parts: parts.map((part) => ({ fingerprint: part.fingerprint, title: part.title })),
    });
  },

  async "triage restore"(desk, args) {
    const flow = textOf(args, "flow");
    desk.sides.configOf(flow);
    const fingerprint = textOf(args, "restore");
    await restoreDivergence(desk.db, flow, fingerprint, statementOf(args));
    return done(flow, { fingerprint });
  },

  async "triage list"({ db, sides }, args) {
    const flow = textOf(args, "flow");
    sides.configOf(flow);
    const now = new Date().toISOString();
    const open = (await divergenceRows(db, flow)).filter((row) => blocks(row, now));
    const divergences = open.map(({ fingerprint, title, trials, decision }) => ({
      ...{ fingerprint, title, trials, decision: decision?.decision ?? null },
    }));
    return done(flow, { divergences });
  },

  async "triage history"({ db, sides }, args) {
    const flow = textOf(args, "flow");
    sides.configOf(flow);
    const rows = await triageHistory(db, flow);
    return done(flow, { history: rows as unknown as JsonValue });
  },
};
