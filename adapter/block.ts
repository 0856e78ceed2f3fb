/**
 * Every dialect of content block a LangChain tool may return → MCP content blocks.
 *
 * Dialects: MCP's own, OpenAI (`image_url`, `input_audio`), Anthropic (`source`), LangChain v0
 * (`source_type`) and v1 (`data`, `url`, `fileId` + `mimeType`). Bytes become image, audio or an
 * embedded resource; addresses become links; what fits nowhere becomes its JSON text.
 */
import { toJson } from "../core/json.ts";

export interface Block {
  type: string;
  [field: string]: unknown;
}

interface Media {
  kind: string;
  mimeType?: string;
  /** Standard base64. */
  data?: string;
  url?: string;
  text?: string;
}

const MCP_BLOCKS = new Set(["resource", "resource_link"]);

export function textBlock(text: string): Block {
  return { type: "text", text };
}

/** True for what LangChain itself treats as content: a list in which each item has a type. */
export function isBlockList(value: unknown): value is Block[] {
  return Array.isArray(value) && value.every((item) => isRecord(item) && "type" in item);
}

export function toMcpBlock(block: Block): Block {
  if (block.type === "text" && typeof block.text === "string") return textBlock(block.text);
  if (MCP_BLOCKS.has(block.type)) return toJson(block).value as unknown as Block;
  const media = mediaOf(block);
  return (media && fromMedia(media)) ?? textBlock(JSON.stringify(toJson(block).value));
}

function fromMedia(media: Media): Block | undefined {
  const { kind, data, url, text, mimeType = defaultMimeType(kind) } = media;
  if (text !== undefined) return textBlock(text);
  if (data !== undefined && (kind === "image" || kind === "audio"))
    return { type: kind, data, mimeType };
  if (data !== undefined)
    return { type: "resource", resource: { uri: `attachment:${kind}`, blob: data, mimeType } };
  return url === undefined ? undefined : { type: "resource_link", uri: url, name: kind, mimeType };
}

function defaultMimeType(kind: string): string {
  if (kind === "image") return "image/png";
  return kind === "audio" ? "audio/wav" : "application/octet-stream";
}

function mediaOf(block: Block): Media | undefined {
  switch (block.type) {
    case "image_url":
      return fromAddress("image", addressOf(block.image_url));
    case "input_audio":
      return fromInputAudio(block.input_audio);
    case "image":
    case "audio":
    case "video":
    case "file":
    case "document":
    case "text-plain":
      return isRecord(block.source) ? fromSource(block) : fromStandard(block);
    default:
      return undefined;
  }
}

function addressOf(value: unknown): unknown {
  return isRecord(value) ? value.url : value;
}

function fromInputAudio(audio: unknown): Media | undefined {
  if (!isRecord(audio) || typeof audio.data !== "string") return undefined;
  return {
    kind: "audio",
    data: audio.data,
    mimeType: `audio/${String(audio.format ?? "wav")}`,
  };
}

/** Anthropic: `{ source: { type: "base64" | "url" | "text", media_type, data | url } }`. */
function fromSource(block: Block): Media | undefined {
  const source = block.source as Record<string, unknown>;
  if (source.type === "url") return fromAddress(block.type, source.url);
  if (typeof source.data !== "string") return undefined;
  const mimeType = stringOr(source.media_type);
  if (source.type === "text") return { kind: block.type, text: source.data };
  return { kind: block.type, data: source.data, ...mimeType };
}

/** LangChain v0 and v1 blocks, and MCP's own image and audio, which look like v1. */
function fromStandard(block: Block): Media | undefined {
  const kind = block.type;
  const mimeType = stringOr(block.mimeType ?? block.mime_type);
  if (typeof block.text === "string") return { kind, text: block.text };
  const data = block.data ?? block.base64;
  if (data instanceof Uint8Array) {
    return { kind, data: Buffer.from(data).toString("base64"), ...mimeType };
  }
  if (typeof data === "string") return { kind, data, ...mimeType };
  const address = fromAddress(kind, block.url);
  return address && { ...address, ...mimeType };
}

function fromAddress(kind: string, address: unknown): Media | undefined {
  if (typeof address !== "string") return undefined;
  const inline = /^data:([^;,]+);base64,(.*)$/s.exec(address);
  if (!inline) return { kind, url: address };
  const [, mimeType = "", data = ""] = inline;
  return { kind, mimeType, data };
}

function stringOr(mimeType: unknown): { mimeType?: string } {
  return typeof mimeType === "string" ? { mimeType } : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
