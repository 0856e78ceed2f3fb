/** Frames as the live path writes them: of the flow `add` in the shadow, answered by legacy, unless told otherwise. */
import {
  decodeFrames,
  encodeFrame,
  type Frame,
  type FrameHeader,
  type FramePayload,
} from "../../harness/frame.ts";
import type { Vault } from "../../harness/privacy/vault.ts";
import { PRIVACY } from "./privacy.ts";

const START_MS = 1_760_000_000_000;

export const PAYLOAD: FramePayload = {
  input: { n: 1 },
  outcome: { status: "returned", value: { n: 2 } },
  lossy: false,
  calls: [],
};

/** What the bytes are made of. */
export interface Told {
  header?: Partial<FrameHeader>;
  payload?: Partial<FramePayload>;
  vault?: Vault;
}

export function headerOf(more: Partial<FrameHeader> = {}): FrameHeader {
  const { seq = 1 } = more;
  return {
    epoch: "e",
    seq,
    flow: "add",
    triggerId: `t${seq}`,
    source: "library",
    receivedAt: new Date(START_MS + seq).toISOString(),
    stage: "shadow",
    authoritative: "legacy",
    noiseWanted: false,
    status: "returned",
    durationMs: 1,
    ...more,
  };
}

export function frameBytes({ header, payload, vault = PRIVACY.vault }: Told): Buffer {
  return encodeFrame(headerOf(header), { ...PAYLOAD, ...payload }, vault);
}

/** The same as it comes out of the spool. */
export function frameOf(told: Told): Frame {
  const [frame] = decodeFrames(frameBytes(told)).frames;
  if (!frame) throw new Error("the frame does not decode");
  return frame;
}
