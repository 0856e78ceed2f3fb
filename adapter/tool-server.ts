/**
 * The port behind which every tool stands, whatever its language.
 *
 * `listTools` gives MCP tool definitions plus what a contract needs; `callTool` gives MCP's
 * `CallToolResult`. A tool that cannot be bridged is listed by `unsupported` with its reason
 * and never hides the others.
 */
import { TwintrackError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import type { ToolPort } from "../core/tool.ts";

export type Language = "javascript" | "python";

/** A tool's input and output JSON Schema (2020-12 unless `$schema` says otherwise), with a hash. */
export interface Contract {
  /** Legal everywhere: `[A-Za-z0-9_-]{1,64}`, unique within its server. */
  name: string;
  /** The name the author gave the tool. */
  originalName: string;
  language: Language;
  description: string;
  /** Input view: a field with a default is optional. Root type `object`. */
  inputSchema: JsonObject;
  outputSchema?: JsonObject;
  /** MCP's hints (`readOnlyHint`, …), only as somebody declared them; no part of the hash. */
  annotations?: JsonObject;
  /** SHA-256 over name, input and output schema in canonical form, `sha256:` and 64 hex digits. */
  contractHash: string;
}

export interface UnsupportedTool {
  name: string;
  reason: string;
}

/** Whoever calls a tool that cannot be called is told what the list says of it. */
export function unsupportedTool({ name, reason }: UnsupportedTool): TwintrackError {
  return new TwintrackError("TOOL_UNSUPPORTED", `Tool "${name}" cannot be called: ${reason}`, {
    hint: "twintrack tools list shows every tool, and why one is not bridged.",
  });
}

export interface ToolServer extends ToolPort {
  listTools(): Promise<Contract[]>;
  unsupported(): Promise<UnsupportedTool[]>;
  /** Calls the listener after the list became another one; a server without it never changes. */
  onListChanged?(listener: () => void): () => void;
  close(): Promise<void>;
}
