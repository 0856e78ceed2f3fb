/** Newline-delimited frames out of a byte stream; never holds more than one frame of the limit. */

export type Frame =
  | { kind: "frame"; text: string }
  /** Dropped because it was too long; its first bytes, which usually name the request. */
  | { kind: "oversize"; prefix: string };

const NEWLINE = 0x0a;
const PREFIX_BYTES = 256;

/** Splits on byte 0x0A and nowhere else; after a too long frame it goes on with the next line. */
export class FrameSplitter {
  readonly #limitBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Set while a too long frame is being skipped. */
  #skipped: string | undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The frames that end in this chunk. */
  feed(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#add(chunk.subarray(start, end));
      const frame = this.#take();
      if (frame) frames.push(frame);
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
    return frames;
  }

  #add(part: Buffer): void {
    if (this.#skipped !== undefined || part.length === 0) return;
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes > this.#limitBytes) {
      this.#skipped = Buffer.concat(this.#parts).toString("utf8", 0, PREFIX_BYTES);
      this.#parts = [];
    }
  }

  #take(): Frame | undefined {
    const prefix = this.#skipped;
    const text = Buffer.concat(this.#parts).toString("utf8").trim();
    this.#parts = [];
    this.#bytes = 0;
    this.#skipped = undefined;
    if (prefix !== undefined) return { kind: "oversize", prefix };
    return text === "" ? undefined : { kind: "frame", text };
  }
}
