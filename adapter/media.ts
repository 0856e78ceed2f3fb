/** What a content block carries beside plain text, read from any of the dialects that block.ts names. */

export type Media = {
  kind: string;
  mimeType?: string;
  /** A file's name, where the block tells one. */
  name?: string;
} & (
  | { carried: "text"; text: string }
  /** Standard base64. */
  | { carried: "bytes"; data: string }
  | { carried: "address"; url: string }
  /** An upload that only the model's provider knows. */
  | { carried: "id"; id: string }
);

type Fields = Readonly<Record<string, unknown>>;

const KINDS = new Set(["image", "audio", "video", "file", "document", "text-plain", "text"]);

/** Undefined for a block that carries no media, or none that can be read. */
export function mediaOf(block: Fields): Media | undefined {
  const kind = String(block.type);
  if (kind === "image_url") return fromAddress("image", addressIn(block.image_url), {});
  if (kind === "input_audio") return fromInputAudio(block.input_audio);
  if (!KINDS.has(kind)) return undefined;
  if (isRecord(block.source)) return fromSource(kind, block.source, tellings(block));
  if (isRecord(block.file)) return fromOpenAiFile(block.file);
  return fromStandard(kind, block);
}

interface Tellings {
  mimeType?: string;
  name?: string;
}

function tellings(block: Fields): Tellings {
  const details = isRecord(block.metadata) ? block.metadata : {};
  const mimeType = textIn(block.mimeType ?? block.mime_type ?? block.media_type);
  const name = textIn(
    block.filename ?? block.name ?? block.title ?? details.filename ?? details.name,
  );
  return { ...(mimeType && { mimeType }), ...(name && { name }) };
}

function addressIn(value: unknown): unknown {
  return isRecord(value) ? value.url : value;
}

function fromInputAudio(audio: unknown): Media | undefined {
  if (!isRecord(audio)) return undefined;
  return fromBytes("audio", audio.data, { mimeType: `audio/${textIn(audio.format) ?? "wav"}` });
}

/** OpenAI: `{ file: { file_data | file_id, filename } }`, the data as an address with the bytes in it. */
function fromOpenAiFile(file: Fields): Media | undefined {
  return fromAddress("file", file.file_data, tellings(file)) ?? fromId("file", file.file_id, file);
}

/** Anthropic: `{ source: { type: base64 | url | text | file | content, media_type, … } }`. */
function fromSource(kind: string, source: Fields, outer: Tellings): Media | undefined {
  const told = { ...outer, ...tellings(source) };
  switch (source.type) {
    case "url":
      return fromAddress(kind, source.url, told);
    case "text":
      return fromText(kind, source.data);
    case "file":
      return fromId(kind, source.file_id, source);
    case "content":
      return fromText(kind, textsIn(source.content));
    default:
      return fromBytes(kind, source.data, told);
  }
}

function textsIn(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  return content.map((part) => (isRecord(part) ? String(part.text ?? "") : "")).join("\n");
}

/** LangChain v0 and v1 blocks, and MCP's own image and audio, which look like v1. */
function fromStandard(kind: string, block: Fields): Media | undefined {
  const told = tellings(block);
  return (
    fromText(kind, block.text) ??
    fromBytes(kind, block.data ?? block.base64, told) ??
    fromAddress(kind, block.url, told) ??
    fromId(kind, block.fileId ?? block.file_id ?? block.id, block)
  );
}

function fromText(kind: string, text: unknown): Media | undefined {
  return typeof text === "string" ? { kind, carried: "text", text } : undefined;
}

function fromBytes(kind: string, data: unknown, told: Tellings): Media | undefined {
  if (data instanceof Uint8Array) {
    const { buffer, byteOffset, byteLength } = data;
    const text = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
    return { kind, carried: "bytes", data: text, ...told };
  }
  if (typeof data !== "string") return undefined;
  // In LangChain v0 the data may be an address that holds it.
  if (data.startsWith("data:")) return fromAddress(kind, data, told);
  if (kind === "text-plain") return fromText(kind, data);
  return { kind, carried: "bytes", data: standardBase64(data), ...told };
}

/** MCP wants the standard alphabet; Python's URL-safe one differs in two letters. */
function standardBase64(data: string): string {
  return /[-_]/.test(data) ? data.replaceAll("-", "+").replaceAll("_", "/") : data;
}

function fromAddress(kind: string, address: unknown, told: Tellings): Media | undefined {
  if (typeof address !== "string") return undefined;
  const inline = /^data:([^;,]*)((?:;[^;,]+)*?)(;base64)?,(.*)$/s.exec(address);
  if (!inline) return { kind, carried: "address", url: address, ...told };
  const [, type, , isBase64, payload = ""] = inline;
  const data = isBase64
    ? standardBase64(payload)
    : Buffer.from(decodeURIComponent(payload)).toString("base64");
  return { kind, carried: "bytes", data, ...told, ...(type && { mimeType: type }) };
}

function fromId(kind: string, id: unknown, block: Fields): Media | undefined {
  return typeof id === "string" ? { kind, carried: "id", id, ...tellings(block) } : undefined;
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
