/** `twintrack triage`: decide what a divergence is, and what belongs together. */
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import type { TriageRow } from "../store/groupings.ts";
import { onStore } from "./desk.ts";
import type { Cli } from "./main.ts";
import { currentUser } from "./option.ts";
import { table } from "./reply.ts";

interface TriageOptions extends Record<string, string | boolean | undefined> {
  as?: string;
  merge?: string;
  split?: string;
  restore?: string;
  history?: boolean;
}

export function addTriageCommand(cli: Cli): void {
  cli.program
    .command("triage <flow> [fingerprint]")
    .description("list open divergences; decide what one is; merge or split them")
    .option("--as <decision>", "candidate_bug, intended, noise, legacy_bug or unsure")
    .option("--merge <fingerprints>", "two or more, with commas: they are one from now on")
    .option("--split <fingerprint>", "into parts, see --by")
    .option("--by <key>", "path (the exact path) or message (what an error says)")
    .option("--restore <fingerprint>", "take its merge or split back")
    .option("--history", "all that was decided, merged and split")
    .option("--why <text>", "reason, shown in the report")
    .option("--until <date>", "the decision expires then (ISO 8601, or never); default 90 days")
    .option("--owner <name>", "who answers for the decision; default: who decides")
    .option("--who <name>", "who decides", currentUser())
    .addHelpText("after", EXAMPLES)
    .action((flow: string, fingerprint: string | undefined, options: TriageOptions) =>
      cli.run(() => triage(cli, flow, fingerprint, options)),
    );
}

const EXAMPLES = `
Examples:
  twintrack triage refunds
  twintrack triage refunds v1:0123456789abcdef --as noise --why "random id"
  twintrack triage refunds --merge v1:0123456789abcdef,v1:fedcba9876543210 --why "one cause"
  twintrack triage refunds --split v1:0123456789abcdef --by path --why "only the first is a bug"`;

function triage(cli: Cli, flow: string, fingerprint: string | undefined, options: TriageOptions) {
  const command = commandOf(fingerprint, options);
  const given = { flow, fingerprint, ...options };
  const args = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as JsonObject;
  return onStore(cli, command, args, (said: JsonObject) => told(command, flow, said));
}

/** @throws {TwintrackError} `USAGE` when several things are asked for. */
function commandOf(fingerprint: string | undefined, options: TriageOptions): string {
  const { as, merge, split, restore, history } = options;
  if (fingerprint === undefined && as !== undefined) {
    throw new TwintrackError("USAGE", `--as ${as} needs the fingerprint of a divergence`, {
      hint: "`twintrack triage <flow>` lists the open ones.",
    });
  }
  const asked = [
    ...(merge === undefined ? [] : ["triage merge"]),
    ...(split === undefined ? [] : ["triage split"]),
    ...(restore === undefined ? [] : ["triage restore"]),
    ...(history === true ? ["triage history"] : []),
    ...(fingerprint === undefined ? [] : ["triage"]),
  ];
  const [command = "triage list"] = asked;
  if (asked.length <= 1) return command;
  throw new TwintrackError("USAGE", "triage does one thing at a time", {
    hint: "A fingerprint with --as, or one of --merge, --split, --restore and --history.",
  });
}

function told(command: string, flow: string, said: JsonObject): string {
  switch (command) {
    case "triage merge":
      return `${flow}: ${String(said.merged)} are one divergence, ${String(said.fingerprint)}`;
    case "triage split": {
      const parts = said.parts as { fingerprint: string; title: string }[];
      return table(parts.map((part) => [part.fingerprint, part.title]));
    }
    case "triage restore":
      return `${flow} ${String(said.fingerprint)}: merge or split taken back`;
    case "triage list":
      return openOnes(flow, said.divergences as unknown as OpenDivergence[]);
    case "triage history": {
      const rows = said.history as unknown as TriageRow[];
      return table(
        rows.map(({ at, fingerprint, what, who, why }) => [at, fingerprint, what, who, why]),
      );
    }
    default: {
      const until = said.until === null ? "" : `, until ${String(said.until).slice(0, 10)}`;
      const model = said.modelText === undefined ? "" : `\n  ${String(said.modelText)}`;
      return `${flow} ${String(said.fingerprint)}: ${String(said.decision)} (${String(said.who)}: ${String(said.why)}${until})${model}`;
    }
  }
}

interface OpenDivergence {
  fingerprint: string;
  title: string;
  trials: number;
  decision: string | null;
}

function openOnes(flow: string, divergences: readonly OpenDivergence[]): string {
  if (divergences.length === 0) return `${flow} has no open divergence`;
  const rows = divergences.map(({ fingerprint, title, trials, decision }) => [
    ...[fingerprint, String(trials), decision ?? "not decided", title],
  ]);
  return table([["fingerprint", "trials", "decision", "divergence"], ...rows]);
}
