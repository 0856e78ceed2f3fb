/**
 * Carries what was answered on its way: from the spool to the store, and from there to a verdict.
 *
 * It works in the thread that answers, or in one of its own beside it, so that the thread that
 * answers has nothing else to do. The spool stays with whoever answers; a load says what is in it.
 */
import { access } from "node:fs/promises";
import type { MessagePort } from "node:worker_threads";
import { TwintrackError } from "../core/error.ts";
import type { ResolvedConfig } from "./config.ts";
import { entryBeside } from "./entry.ts";
import type { Gap } from "./frame.ts";
import { startThread } from "./port.ts";
import type { Privacy } from "./privacy/privacy.ts";
import { openShadowWorker, shadowTimeoutsMs } from "./shadow.ts";
import { type Launch, launchOf, type ShadowHost } from "./shadow-host.ts";
import { openShipper } from "./shipper.ts";
import type { SpoolFile } from "./spool-folder.ts";
import type { Database, DatabaseWay } from "./store/database.ts";
import { openJobs } from "./store/jobs.ts";
import { within } from "./wait.ts";

/** What waits to be shipped. */
export interface Load {
  files: readonly SpoolFile[];
  /** Frames that the disk did not take, one after the other. */
  memory: Uint8Array;
  gaps: readonly Gap[];
}

export interface Carrier {
  /** Ships the load, and what is left of earlier ones. Returns how many trials were new. */
  ship(load: Load): Promise<number>;
  /** Judges until no trial is open, or until halted. Returns how many were judged. */
  judge(): Promise<number>;
  /** Gives back what is being judged, and ends the process in which it is. */
  halt(): Promise<void>;
  /** Pid of the shadow process, while there is one. */
  pid(): number | undefined;
  close(): Promise<void>;
}

export interface CarrierParts {
  /** Closed with the carrier. */
  db: Database;
  /** Closed with the carrier. */
  host: ShadowHost;
  privacy: Privacy;
  timeoutsMs: Readonly<Record<string, number>>;
}

/** How long the end may wait for a database that does not answer. */
const END_MS = 1_000;

/** What it makes dies young: more room would only be filled, a hundred megabytes of it. */
const YOUNG_MIB = 12;

/** A carrier in this thread. */
export async function openCarrier({ db, host, ...parts }: CarrierParts): Promise<Carrier> {
  const jobs = await openJobs(db).catch(async (error: unknown) => {
    await db.close();
    throw error;
  });
  const hold = openHold();
  const shipper = openShipper({ db, jobs, spool: hold, vault: parts.privacy.vault });
  const worker = openShadowWorker({ db, jobs, host, ...parts });
  let halting = new AbortController();
  return {
    ship(load) {
      hold.put(load);
      return shipper.ship();
    },
    judge: () => worker.drain(halting.signal),
    async halt() {
      halting.abort();
      halting = new AbortController();
      await host.stop();
    },
    pid: host.pid,
    async close() {
      halting.abort();
      await host.close();
      // What a worker leaves half done is its heirs', whether or not the database hears of it.
      await within(END_MS, jobs.close()).catch(() => undefined);
      await db.close();
    },
  };
}

/** Loads as the spool that the shipper takes them from. */
function openHold() {
  let files: readonly SpoolFile[] = [];
  let memory: Buffer[] = [];
  let gaps: Gap[] = [];
  return {
    put(load: Load) {
      files = load.files;
      const { buffer, byteOffset, byteLength } = load.memory;
      if (byteLength > 0) memory.push(Buffer.from(buffer, byteOffset, byteLength));
      gaps.push(...load.gaps);
    },
    files: () => files,
    takeMemory() {
      const taken = memory;
      memory = [];
      return taken;
    },
    takeGaps() {
      const taken = gaps;
      gaps = [];
      return taken;
    },
  };
}

/** What a carrier in another thread has to know: data only. */
export interface CarrierPlan {
  way: DatabaseWay;
  launch: Launch;
  place: Pick<ResolvedConfig, "dataDir" | "privacy">;
  timeoutsMs: Readonly<Record<string, number>>;
}

export type CarrierQuestion =
  /** Answered when it is ready. */
  { kind: "open" | "judge" | "halt" | "close" } | { kind: "ship"; load: Load };

/** Undefined for a configuration that no other process can load: its trials are judged in this thread. */
export function carrierPlan(config: ResolvedConfig, db: Database): CarrierPlan | undefined {
  const launch = launchOf(config);
  if (!launch) return undefined;
  const { dataDir, privacy } = config;
  const timeoutsMs = shadowTimeoutsMs(config);
  return { way: db.way(), launch, place: { dataDir, privacy }, timeoutsMs };
}

/** A carrier in a thread of its own; `onLost` is called when the thread has ended by itself. */
export async function startCarrier(plan: CarrierPlan, onLost: () => void): Promise<Carrier> {
  // Threads that Node keeps for everybody begin when they are first needed, and as humble as who
  // needs them: this one is to be the first, not the carrier's.
  await access(plan.launch.configFile).catch(() => undefined);
  const transferList: MessagePort[] = plan.way.kind === "pglite" ? [plan.way.port] : [];
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MIB };
  let pid: number | undefined;
  const thread = await startThread(
    entryBeside(import.meta.url, "carrier-thread"),
    { workerData: plan, transferList, resourceLimits },
    {
      hear: (news) => {
        pid = (news as { pid?: number }).pid;
      },
      lost(what) {
        pid = undefined;
        onLost();
        return new TwintrackError("SHADOW_LOST", `The thread that ships and judges ${what}`);
      },
    },
  );
  const ask = <Answer>(question: CarrierQuestion) => thread.ask<Answer>(question);
  return {
    ship: (load) => ask({ kind: "ship", load }),
    judge: () => ask({ kind: "judge" }),
    halt: () => ask({ kind: "halt" }),
    pid: () => pid,
    async close() {
      await within(END_MS * 3, ask({ kind: "close" })).catch(() => undefined);
      await thread.end();
    },
  };
}
