/**
 * One answered trigger as bytes: what the live path appends and the shipper reads.
 *
 * `[u32 length][u32 crc32][header JSON][\n][sealed payload JSON]`, big endian. The payload is not
 * parsed again until a worker compares it. The header can be read by whoever reads the spool: it
 * holds nothing of the caller's but a masked trigger id.
 */
import { crc32 } from "node:zlib";
import { isTwintrackError } from "../core/error.ts";
import type { RunEvent } from "../core/history.ts";
import type { JsonValue } from "../core/json.ts";
import type { ToolCall } from "../core/ledger.ts";
import type { MemoryRead } from "../core/memory.ts";
import type { ModelCall } from "../core/model.ts";
import type { Outcome } from "../core/outcome.ts";
import type { RunConfig } from "../core/run-config.ts";
import type { Side, Stage, TriggerSource } from "../core/trigger.ts";
import { runPlace } from "./privacy/privacy.ts";
import type { Vault } from "./privacy/vault.ts";

export interface FrameHeader {
  /** The process that answered, and its running number of answers, from 1. */
  epoch: string;
  seq: number;
  flow: string;
  /** Masked. */
  triggerId: string;
  /** Keyed digest of whom it is about. */
  subject?: string;
  source: TriggerSource;
  /** ISO 8601, UTC. */
  receivedAt: string;
  stage: Stage;
  authoritative: Side;
  /** Run legacy a second time for this trigger, to measure noise. */
  noiseWanted: boolean;
  /** Why the other side is not to run; absent when it is. */
  notRun?: string;
  status: Outcome["status"];
  durationMs: number;
}

export interface FramePayload {
  input: JsonValue;
  /** Of the trigger. */
  config?: RunConfig;
  /** As the caller gave it; absent when the header has the same. */
  triggerId?: string;
  outcome: Outcome;
  /** The outcome's value lost information when it became JSON. */
  lossy: boolean;
  /** The outcome is not whole: it is compared with nothing. */
  partial?: boolean;
  calls: ToolCall[];
  /** Of a legacy chain that asked models. */
  modelCalls?: ModelCall[];
  /** What a legacy chain read from its memory; kept for a trial that runs it a second time. */
  memory?: MemoryRead[];
  /** Of a typed flow; a legacy chain has none. */
  history?: RunEvent[];
}

export interface Frame {
  header: FrameHeader;
  /** Sealed. */
  payload: Uint8Array;
}

const PREFIX_BYTES = 8;
const LINE_END = 0x0a;

/** Begins with the day, UTC, by which the store keeps it: `20261121-<epoch>.<seq>`. */
export function trialIdOf({
  receivedAt,
  epoch,
  seq,
}: Pick<FrameHeader, "receivedAt" | "epoch" | "seq">): string {
  return `${dayOf(receivedAt)}-${epoch}.${seq}`;
}

/** UTC, as ids begin with it and weeks are bounded by it: `20261116`. */
export function dayOf(isoTime: string): string {
  return isoTime.slice(0, 4) + isoTime.slice(5, 7) + isoTime.slice(8, 10);
}

/** Triggers that nobody will ever compare or look at, or may, are only counted. */
const COUNTED_ONLY: ReadonlySet<string | undefined> = new Set(["stage", "shed", "purged"]);

export function keepsPayload({ notRun }: Pick<FrameHeader, "notRun">): boolean {
  return !COUNTED_ONLY.has(notRun);
}

const NOTHING = new Uint8Array();

export function encodeFrame(header: FrameHeader, payload: FramePayload, vault: Vault): Buffer {
  if (!keepsPayload(header)) return framed(header, NOTHING);
  const place = runPlace(trialIdOf(header), header.authoritative);
  return framed(header, vault.seal(Buffer.from(JSON.stringify(payload)), place));
}

function framed(header: FrameHeader | { gap: Gap }, payload: Uint8Array): Buffer {
  const head = Buffer.from(`${JSON.stringify(header)}\n`);
  const length = head.length + payload.length;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + length);
  head.copy(frame, PREFIX_BYTES);
  frame.set(payload, PREFIX_BYTES + head.length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(crc32(frame.subarray(PREFIX_BYTES)), 4);
  return frame;
}

/** Numbers whose frames will never come, with the cause. */
export interface Gap {
  /** Who gave the numbers: this process, or a tracer. */
  epoch: string;
  fromSeq: number;
  toSeq: number;
  cause: string;
}

/** A gap among the frames, so that it outlives the process that made it. */
export function encodeGap(gap: Gap): Buffer {
  return framed({ gap }, NOTHING);
}

/** A stored run; undefined when it cannot be opened: its key is gone, or retention dropped it. */
export function readPayload(
  vault: Vault,
  { id, side, payload }: { id: string; side: Side; payload: Uint8Array },
): FramePayload | undefined {
  try {
    return decodePayload(vault.open(payload, runPlace(id, side)));
  } catch (error) {
    if (isTwintrackError(error)) return undefined;
    throw error;
  }
}

/** @param payload as the vault opened it */
export function decodePayload(payload: Uint8Array): FramePayload {
  return JSON.parse(new TextDecoder().decode(payload)) as FramePayload;
}

export interface DecodedFrames {
  frames: Frame[];
  gaps: Gap[];
  /** Bytes that held whole, sound frames; what follows is torn or not written yet. */
  consumed: number;
}

/**
 * Reads frames until the bytes end or one is torn: a crash may cut the last frame, never an earlier
 * one. Zeros, which a loss of power leaves where nothing was written yet, are no frame.
 */
export function decodeFrames(bytes: Buffer, limit = Number.POSITIVE_INFINITY): DecodedFrames {
  const decoded: DecodedFrames = { frames: [], gaps: [], consumed: 0 };
  while (decoded.frames.length < limit && decoded.consumed + PREFIX_BYTES <= bytes.length) {
    const length = bytes.readUInt32BE(decoded.consumed);
    const end = decoded.consumed + PREFIX_BYTES + length;
    if (length === 0 || end > bytes.length) break;
    const body = bytes.subarray(decoded.consumed + PREFIX_BYTES, end);
    if (crc32(body) !== bytes.readUInt32BE(decoded.consumed + 4)) break;
    decodeBody(body, decoded);
    decoded.consumed = end;
  }
  return decoded;
}

function decodeBody(body: Buffer, { frames, gaps }: DecodedFrames): void {
  const lineEnd = body.indexOf(LINE_END);
  const header = JSON.parse(body.toString("utf8", 0, lineEnd)) as FrameHeader | { gap: Gap };
  if ("gap" in header) gaps.push(header.gap);
  else frames.push({ header, payload: body.subarray(lineEnd + 1) });
}
