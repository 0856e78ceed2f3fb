/**
 * The stage of every flow: legacy → shadow → canary → cutover → retired, and back by rollback.
 *
 * The store holds the truth and why it changed. The live path reads a copy in memory, which is
 * refreshed from the store and kept in a file, so that a start without a database knows it too.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { TwintrackError } from "../core/error.ts";
import { type Side, STAGES, type Stage } from "../core/trigger.ts";
import type { ResolvedConfig } from "./config.ts";
import { makeDataFolder } from "./data-folder.ts";
import type { GateResult } from "./gate.ts";
import { rarely } from "./rarely.ts";
import { appendAudit } from "./store/audit.ts";
import type { Database } from "./store/database.ts";

export interface FlowStage {
  stage: Stage;
  /** Share of triggers that the candidate answers while in `canary`, in percent. */
  canaryPercent: number;
  /** Grows with every change; a change names the version it saw. */
  version: number;
}

export interface StageChange {
  flow: string;
  to: Stage;
  canaryPercent?: number;
  who: string;
  why: string;
  /** The gate at this moment; needed to let the candidate answer. */
  gate?: GateResult;
  /** Lets the candidate answer although the gate is not open. Recorded. */
  override?: boolean;
  /** Nobody asked for it: the configuration allows it. */
  automatic?: boolean;
}

/** The live path's copy of all stages. */
export interface StageBook {
  of(flow: string): FlowStage;
  /** True while the kill switch is on: nothing but the authoritative side runs. */
  isPaused(): boolean;
  /** Reads the store again. */
  refresh(db: Database): Promise<void>;
}

const RISE: Record<Stage, readonly Stage[]> = {
  legacy: ["shadow"],
  shadow: ["legacy", "canary", "cutover"],
  canary: ["canary", "shadow", "legacy", "cutover"],
  cutover: ["retired", "canary", "shadow", "legacy"],
  retired: ["cutover", "shadow", "legacy"],
};

/**
 * Decides whether a stage may change.
 *
 * @throws {TwintrackError} `STAGE_REFUSED` with the step that is missing.
 */
export function checkChange(from: Stage, change: StageChange): void {
  const { flow, to } = change;
  if (!RISE[from].includes(to)) {
    throw new TwintrackError(
      "STAGE_REFUSED",
      `Flow "${flow}" is at ${from} and cannot go to ${to} at once`,
      {
        hint: `From ${from} it can go to: ${RISE[from].join(", ")}.`,
      },
    );
  }
  const rises = STAGES.indexOf(to) >= STAGES.indexOf(from);
  if (!rises || to === "shadow" || to === "retired" || change.override) return;
  if (change.gate?.decision === "open") return;
  const blocked = (change.gate?.reasons ?? [])
    .filter((reason) => reason.status !== "pass")
    .map((reason) => reason.criterion);
  throw new TwintrackError(
    "STAGE_REFUSED",
    `Flow "${flow}" stays at ${from}: its gate is ${change.gate?.decision ?? "not evaluated"} (${blocked.join(", ") || "no evidence"})`,
    {
      hint: `See twintrack gate ${flow}; --override --why "…" goes on all the same and is recorded.`,
    },
  );
}

/** Changes a stage: one row for the flow, one for who did it and why. */
export function changeStage(
  db: Database,
  from: FlowStage,
  change: StageChange,
): Promise<FlowStage> {
  checkChange(from.stage, change);
  const percent = change.to === "canary" ? (change.canaryPercent ?? 1) : 0;
  return db.transaction(async (query) => {
    const [row] = await query<{ version: number }>(
      `insert into twintrack.flows (name, stage, canary_percent) values ($1, $2, $3::double precision)
       on conflict (name) do update set stage = excluded.stage, canary_percent = excluded.canary_percent,
         version = flows.version + 1, changed_at = now() where flows.version = $4::bigint
       returning version`,
      [change.flow, change.to, percent, from.version],
    );
    if (!row) {
      throw new TwintrackError(
        "STAGE_REFUSED",
        `The stage of "${change.flow}" was changed by someone else meanwhile`,
        {
          hint: "Look at it again: twintrack stage.",
        },
      );
    }
    await query(
      `insert into twintrack.stage_changes (flow, from_stage, to_stage, canary_percent, who, why, evidence, automatic)
       values ($1, $2, $3, $4::double precision, $5, $6, $7::jsonb, $8::boolean)`,
      [
        change.flow,
        from.stage,
        change.to,
        percent,
        change.who,
        change.why,
        recordOf(change),
        change.automatic === true,
      ],
    );
    const { who, flow, to, why } = change;
    const about = { flow, from: from.stage, to, percent, why, override: change.override === true };
    await appendAudit(query, { event: "stage", who, about });
    return { stage: change.to, canaryPercent: percent, version: row.version };
  });
}

/** What the gate said, and that somebody went on all the same. */
function recordOf({ gate, override }: StageChange): string | null {
  if (!gate) return null;
  const forced = override === true && gate.decision !== "open";
  return JSON.stringify(forced ? { ...gate, override: true } : gate);
}

/** The sides without which a stage would leave triggers unanswered, or nothing to compare. */
export function sidesOf(stage: Stage): readonly Side[] {
  if (stage === "legacy") return ["legacy"];
  // After a cutover legacy may be gone: then its reverse shadow does not run.
  return stage === "cutover" || stage === "retired" ? ["candidate"] : ["legacy", "candidate"];
}

export async function readStages(db: Database): Promise<Map<string, FlowStage>> {
  const rows = await db.query<{ name: string } & FlowStage>(
    'select name, stage, canary_percent as "canaryPercent", version from twintrack.flows',
  );
  return new Map(
    rows.map(({ name, stage, canaryPercent, version }) => [
      name,
      { stage, canaryPercent, version },
    ]),
  );
}

/** A flow that the store does not know is at the stage its configuration says. */
export function initialStage(config: ResolvedConfig, flow: string): FlowStage {
  const found = config.flows[flow];
  // A flow that never had a legacy side has nothing to move off.
  const stage = found?.stage ?? (found?.candidate && !found.legacy ? "retired" : "legacy");
  return { stage, canaryPercent: 0, version: 0 };
}

export function openStageBook(
  config: ResolvedConfig,
  env: NodeJS.ProcessEnv = process.env,
): StageBook {
  const file = join(config.dataDir, "stages.json");
  let stages = readSnapshot(file);
  const isPaused = rarely(
    KILL_SWITCH_CHECK_MS,
    () => env.TWINTRACK_SHADOW === "off" || existsSync(killSwitch(config)),
  );
  return {
    of: (flow) => stages.get(flow) ?? initialStage(config, flow),
    isPaused,
    async refresh(db) {
      const fresh = await readStages(db);
      if (JSON.stringify([...fresh]) === JSON.stringify([...stages])) return;
      stages = fresh;
      writeSnapshot(file, stages);
    },
  };
}

/** Well under a second, and still no system call for most triggers; reading the environment is one, too. */
const KILL_SWITCH_CHECK_MS = 100;

/** The file whose existence stops all shadow work within one trigger, also without a database. */
export function killSwitch(config: ResolvedConfig): string {
  return join(config.dataDir, "shadow.off");
}

export function setKillSwitch(config: ResolvedConfig, on: boolean): void {
  if (on) {
    makeDataFolder(config.dataDir);
    writeFileSync(killSwitch(config), "");
  } else {
    rmSync(killSwitch(config), { force: true });
  }
}

function readSnapshot(file: string): Map<string, FlowStage> {
  try {
    return new Map(JSON.parse(readFileSync(file, "utf8")) as [string, FlowStage][]);
  } catch {
    return new Map(); // Never written, or torn by a crash: the store or the configuration says.
  }
}

/** Losing the snapshot costs nothing while the store answers, so failing to write it is no error. */
function writeSnapshot(file: string, stages: Map<string, FlowStage>): void {
  try {
    makeDataFolder(dirname(file));
    writeFileSync(`${file}.new`, JSON.stringify([...stages]), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch {
    return;
  }
}
