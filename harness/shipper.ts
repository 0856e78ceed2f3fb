/**
 * Carries frames from the spool to the store, in order, as often as needed: ingest is idempotent,
 * so a crash between insert and removal ships a frame twice and counts it once.
 */
import { renameSync, rmSync, statSync } from "node:fs";
import { isTwintrackError } from "../core/error.ts";
import { decodeFrames, type Frame, type Gap, trialIdOf } from "./frame.ts";
import { runPlace } from "./privacy/privacy.ts";
import { MIN_COMPRESSED_BYTES, type Vault } from "./privacy/vault.ts";
import type { Spool } from "./spool.ts";
import { readSpool, type SpoolFile } from "./spool-folder.ts";
import type { Database } from "./store/database.ts";
import type { TrialJobs } from "./store/jobs.ts";
import { ingest, recordGaps } from "./store/trials.ts";
import { openTurns } from "./turn.ts";

const BATCH_FRAMES = 100;
const READ_BYTES = 4 * 1024 * 1024;

export interface Shipper {
  /** Ships everything that is in the spool now. Returns how many trials were new. */
  ship(): Promise<number>;
}

/** What is shipped out of. */
type ShippedSpool = Pick<Spool, "takeMemory" | "takeGaps"> & { files(): readonly SpoolFile[] };

export interface ShipperOptions {
  db: Database;
  jobs: Pick<TrialJobs, "add">;
  spool: ShippedSpool;
  vault: Vault;
}

export function openShipper({ db, jobs, spool, vault }: ShipperOptions): Shipper {
  const store: Store = { db, jobs };
  const offsets = new Map<string, number>();
  // What was taken out of the spool but not stored yet. No more is taken before that is: the spool's
  // bound on memory would bound nothing.
  let memory: Frame[] = [];
  let gaps: Gap[] = [];
  const inTurn = openTurns();

  const shipMemory = async (): Promise<number> => {
    if (memory.length === 0)
      memory = spool.takeMemory().flatMap((bytes) => packed(decodeFrames(bytes).frames, vault));
    let shipped = 0;
    while (memory.length > 0) {
      shipped += await ingestEach(store, memory.slice(0, BATCH_FRAMES));
      memory.splice(0, BATCH_FRAMES);
    }
    if (gaps.length === 0) gaps = spool.takeGaps();
    await recordGaps(db, gaps);
    gaps = [];
    return shipped;
  };
  const shipFile = async (file: SpoolFile): Promise<number> => {
    let shipped = 0;
    let bytes: Buffer = Buffer.alloc(0);
    // What is answered while this ships is left for the next time: after every few frames anew, the
    // database would have more work with less.
    const { size } = statSync(file.path);
    for (let offset = offsets.get(file.path) ?? 0; offset < size; ) {
      let batch = decodeFrames(bytes, BATCH_FRAMES);
      if (batch.consumed === 0) {
        bytes = readSpool(file.path, offset, readSize(file.path, offset, size));
        batch = decodeFrames(bytes, BATCH_FRAMES);
      }
      if (batch.consumed === 0) break;
      shipped += await ingestEach(store, packed(batch.frames, vault));
      await recordGaps(db, batch.gaps);
      offset += batch.consumed;
      offsets.set(file.path, offset);
      bytes = bytes.subarray(batch.consumed);
    }
    if (!file.active) dispose(file.path, offsets);
    return shipped;
  };
  const shipAll = async (): Promise<number> => {
    let shipped = await shipMemory();
    for (const file of spool.files()) shipped += await shipFile(file).catch(unlessGone);
    return shipped;
  };
  return { ship: () => inTurn(shipAll) };
}

/**
 * Frames as they rest in the store: what is large is opened, compressed and sealed again, which the
 * live path has no time for. What cannot be opened goes on as it is; whoever judges it says why.
 */
function packed(frames: readonly Frame[], vault: Vault): Frame[] {
  return frames.map(({ header, payload }) => {
    if (payload.length < MIN_COMPRESSED_BYTES) return { header, payload };
    const place = runPlace(trialIdOf(header), header.authoritative);
    try {
      return { header, payload: vault.pack(vault.open(payload, place), place) };
    } catch {
      return { header, payload };
    }
  });
}

/** Of two processes that adopt the file of a dead one, one is done first and removes it. */
function unlessGone(error: NodeJS.ErrnoException): number {
  if (error.code === "ENOENT") return 0;
  throw error;
}

/** One frame may be larger than the usual read. */
function readSize(path: string, offset: number, size: number): number {
  const rest = size - offset;
  if (rest <= READ_BYTES) return rest;
  const next = readSpool(path, offset, 4);
  return Math.min(rest, Math.max(READ_BYTES, next.readUInt32BE(0) + 8));
}

/** A frame that the database refuses by itself must not hold up the others. */
type Store = Pick<ShipperOptions, "db" | "jobs">;

async function ingestEach({ db, jobs }: Store, frames: readonly Frame[]): Promise<number> {
  try {
    return await ingest(db, jobs, frames);
  } catch (error) {
    if (isTwintrackError(error)) throw error; // The database is away: all of them wait.
    let shipped = 0;
    for (const frame of frames) {
      shipped += await ingest(db, jobs, [frame]).catch((refusal: unknown) =>
        quarantine(db, frame, refusal),
      );
    }
    return shipped;
  }
}

async function quarantine(db: Database, { header }: Frame, refusal: unknown): Promise<number> {
  if (isTwintrackError(refusal)) throw refusal;
  const { epoch, seq } = header;
  await recordGaps(db, [{ epoch, fromSeq: seq, toSeq: seq, cause: "rejected" }]);
  return 0;
}

/** A finished file goes; one with a torn tail is kept aside, for whoever wants to look. */
function dispose(path: string, offsets: Map<string, number>): void {
  const shipped = offsets.get(path) ?? 0;
  offsets.delete(path);
  if (shipped === statSync(path).size) rmSync(path, { force: true });
  else renameSync(path, `${path}.torn`);
}
