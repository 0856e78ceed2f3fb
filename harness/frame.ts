/**
 * One answered trigger as bytes: what the live path appends and the shipper reads.
 *
 * `[u32 length][u32 crc32][header JSON][\n][sealed payload JSON]`, big endian. The payload is not
 * parsed again until a worker compares it. The header can be read by whoever reads the spool: it
 * holds nothing of the caller's but a masked trigger id.
 */
import { crc32 } from "node:zlib";
import type { RunEvent } from "../core/history.ts";
import type { JsonValue } from "../core/json.ts";
import type { ToolCall } from "../core/ledger.ts";
import type { ModelCall } from "../core/model.ts";
import type { Outcome } from "../core/outcome.ts";
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
  /** As the caller gave it; absent when the header has the same. */
  triggerId?: string;
  outcome: Outcome;
  /** The outcome's value lost information when it became JSON. */
  lossy: boolean;
  calls: ToolCall[];
  /** Of a legacy chain that asked models. */
  modelCalls?: ModelCall[];
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

export function trialIdOf(header: Pick<FrameHeader, "epoch" | "seq">): string {
  return `${header.epoch}.${header.seq}`;
}

export function encodeFrame(header: FrameHeader, payload: FramePayload, vault: Vault): Buffer {
  const head = Buffer.from(`${JSON.stringify(header)}\n`);
  const place = runPlace(trialIdOf(header), header.authoritative);
  const sealed = vault.seal(Buffer.from(JSON.stringify(payload)), place);
  const length = head.length + sealed.length;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + length);
  head.copy(frame, PREFIX_BYTES);
  frame.set(sealed, PREFIX_BYTES + head.length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(crc32(frame.subarray(PREFIX_BYTES)), 4);
  return frame;
}

/** @param payload as the vault opened it */
export function decodePayload(payload: Uint8Array): FramePayload {
  return JSON.parse(new TextDecoder().decode(payload)) as FramePayload;
}

export interface DecodedFrames {
  frames: Frame[];
  /** Bytes that held whole, sound frames; what follows is torn or not written yet. */
  consumed: number;
}

/**
 * Reads frames until the bytes end or one is torn: a crash may cut the last frame, never an earlier
 * one. Zeros, which a loss of power leaves where nothing was written yet, are no frame.
 */
export function decodeFrames(bytes: Buffer, limit = Number.POSITIVE_INFINITY): DecodedFrames {
  const frames: Frame[] = [];
  let offset = 0;
  while (frames.length < limit && offset + PREFIX_BYTES <= bytes.length) {
    const length = bytes.readUInt32BE(offset);
    const end = offset + PREFIX_BYTES + length;
    if (length === 0 || end > bytes.length) break;
    const body = bytes.subarray(offset + PREFIX_BYTES, end);
    if (crc32(body) !== bytes.readUInt32BE(offset + 4)) break;
    frames.push(decodeBody(body));
    offset = end;
  }
  return { frames, consumed: offset };
}

function decodeBody(body: Buffer): Frame {
  const lineEnd = body.indexOf(LINE_END);
  const header = JSON.parse(body.toString("utf8", 0, lineEnd)) as FrameHeader;
  return { header, payload: body.subarray(lineEnd + 1) };
}
