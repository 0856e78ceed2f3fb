/**
 * Every dialect of content block a LangChain tool may return → MCP content blocks.
 *
 * Dialects: MCP's own, OpenAI (`image_url`, `input_audio`, `file`), Anthropic (`source`), Bedrock
 * (`json`), LangChain v0 (`source_type`) and v1 (`data`, `url`, `fileId` + `mimeType`; in Python
 * `base64`, `file_id` + `mime_type`). Bytes become image, audio or an embedded resource; addresses
 * become links; what fits nowhere becomes its JSON text.
 */
import { messageOf } from "../core/error.ts";
import { toJson } from "../core/json.ts";
import { type Media, mediaOf } from "./media.ts";

export interface Block {
  type: string;
  [field: string]: unknown;
}

export function textBlock(text: string): Block {
  return { type: "text", text };
}

/** True for what LangChain itself treats as content: a list in which each item has a type. */
export function isBlockList(value: unknown): value is Block[] {
  return Array.isArray(value) && value.every((item) => isRecord(item) && "type" in item);
}

export function toMcpBlock(block: Block): Block {
  if (isMcpBlock(block)) return JSON.parse(jsonText(block)) as Block;
  if (block.type === "text" && typeof block.text === "string") return textBlock(block.text);
  if (block.type === "json" && "json" in block) return textBlock(jsonText(block.json));
  if (block.type === "non_standard") return textBlock(jsonText(block.value));
  if (block.type === "search_result") return fromSearchResult(block) ?? textBlock(jsonText(block));
  const media = mediaOf(block);
  return media ? fromMedia(media) : textBlock(jsonText(block));
}

/** Links and embedded resources are MCP's alone; a text is when it carries MCP's annotations. */
function isMcpBlock({ type, resource, uri, annotations }: Block): boolean {
  if (type === "resource") return isRecord(resource);
  if (type === "resource_link") return typeof uri === "string";
  // LangChain's own annotations, citations, are a list.
  return type === "text" && isRecord(annotations) && !Array.isArray(annotations);
}

function fromMedia(media: Media): Block {
  const { kind, name = media.kind, mimeType = defaultMimeType(kind) } = media;
  switch (media.carried) {
    case "text":
      return textBlock(media.text);
    case "bytes": {
      const { data } = media;
      if (kind === "image" || kind === "audio") return { type: kind, data, mimeType };
      const uri = `attachment:${encodeURIComponent(name)}`;
      return { type: "resource", resource: { uri, blob: data, mimeType } };
    }
    case "address":
      return { type: "resource_link", uri: media.url, name, mimeType };
    case "id":
      // Only its provider can open it; the model is told, and a host finds the id as data.
      return { ...textBlock(`${kind} ${media.id}`), _meta: { fileId: media.id, mimeType } };
    default:
      return media satisfies never;
  }
}

function defaultMimeType(kind: string): string {
  if (kind === "image") return "image/png";
  return kind === "audio" ? "audio/wav" : "application/octet-stream";
}

/** Anthropic: `{ source, title, content: [{ type: "text", text }] }`. */
function fromSearchResult({ source, content }: Block): Block | undefined {
  if (typeof source !== "string" || !isBlockList(content)) return undefined;
  const text = content.map((part) => String(part.text ?? "")).join("\n");
  return { type: "resource", resource: { uri: source, text, mimeType: "text/plain" } };
}

function jsonText(value: unknown): string {
  try {
    return JSON.stringify(toJson(value).value);
  } catch (cause) {
    return JSON.stringify({ reason: messageOf(cause) });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
