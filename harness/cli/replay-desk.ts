/** The store's side of `twintrack replay`. */
import { randomBytes } from "node:crypto";
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { fileSource, type Replayed, runReplay, type Watch } from "../replay.ts";
import {
  findReplay,
  type Replay,
  type ReplayCounts,
  type ReplayFormat,
  replayCounts,
  startReplay,
} from "../store/replays.ts";
import type { Desk, StoreCommand } from "./commands.ts";
import { EXIT, type Reply, textOf as text } from "./reply.ts";

export type ReplayReport = { id: string; flow: string } & Replayed & ReplayCounts;

/** Well below what an HTTP client waits for an answer; whoever asks goes on with `--resume`. */
const SLICE_MS = 10_000;

/** Asked by another process, which cannot look on: a part of the work at a time. */
const alone = (): Watch => ({
  onProgress: () => undefined,
  signal: new AbortController().signal,
  sliceMs: SLICE_MS,
});

async function replay(desk: Desk, args: JsonObject): Promise<Reply> {
  const { db, config } = desk;
  const wanted =
    typeof args.resume === "string" ? await resumed(desk, args.resume) : await begun(desk, args);
  const done = await runReplay(db, config, desk.sides, wanted, desk.watch ?? alone());
  const report: ReplayReport = {
    id: wanted.id,
    flow: wanted.flow,
    ...done,
    ...(await replayCounts(db, wanted)),
  };
  return {
    command: "replay",
    exitCode: exitOf(report),
    data: report as unknown as JsonValue,
    warnings: [
      ...report.problems.map(({ item, problem }) => `${item} ${problem}`),
      ...(report.skipped > 0
        ? [`${report.skipped} trials are not replayed: the candidate answered them`]
        : []),
    ],
    next: report.complete ? [] : [`twintrack replay --resume ${report.id}`],
  };
}

async function begun({ db, sides }: Desk, args: JsonObject): Promise<Replay> {
  const flow = text(args, "flow");
  sides.configOf(flow);
  const id = randomBytes(6).toString("hex");
  const wanted: Replay = { id, flow, source: sourceOf(args) };
  await startReplay(db, wanted);
  return wanted;
}

function sourceOf(args: JsonObject): Replay["source"] {
  if (typeof args.file === "string") return fileSource(args.file, args.format as ReplayFormat);
  return {
    kind: "stored",
    since: typeof args.since === "string" ? args.since : null,
    // What comes in while the replay runs is not part of it.
    until: typeof args.until === "string" ? args.until : new Date().toISOString(),
    limit: typeof args.limit === "number" ? args.limit : null,
  };
}

async function resumed({ db }: Desk, id: string): Promise<Replay> {
  const found = await findReplay(db, id);
  if (found) return found;
  throw new TwintrackError("USAGE", `There is no replay "${id}"`, {
    hint: "Its id was told when it was interrupted; begin anew with twintrack replay <flow>.",
  });
}

const DIFFERS = ["mismatch", "candidate_error", "candidate_timeout", "both_failed_different"];

/** What a decision explains is no divergence; nothing compared is no proof. */
function exitOf({ complete, verdicts, divergences }: ReplayReport): number {
  if (!complete) return EXIT.interrupted;
  const open = divergences.some(({ now, explained }) => now > 0 && !explained);
  const failed = DIFFERS.some((verdict) => verdict !== "mismatch" && (verdicts[verdict] ?? 0) > 0);
  if (open || failed) return EXIT.divergence;
  const compared = ["match", "ignored", "mismatch", "both_failed_same"];
  return compared.some((verdict) => (verdicts[verdict] ?? 0) > 0) ? EXIT.ok : EXIT.undecided;
}

export const REPLAY_COMMANDS: Record<string, StoreCommand> = { replay };
