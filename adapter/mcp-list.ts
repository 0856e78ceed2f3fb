/** Contracts as MCP lists them: page by page, in the order of the tools, the same for every caller. */
import {
  type ListToolsResult,
  ProtocolError,
  ProtocolErrorCode,
  type Tool,
  type ToolAnnotations,
} from "@modelcontextprotocol/server";
import type { Contract } from "./tool-server.ts";

/** The rules of a revision: before 2026-07-28 an output schema describes an object. */
export type Era = "legacy" | "modern";

export interface ListOptions {
  /** Hints for clients by the author's tool name, over what the tool itself declares. Never guessed. */
  annotations?: Readonly<Record<string, ToolAnnotations>>;
  /** Tools on one page; default 250. */
  pageSize?: number;
}

const PAGE_SIZE = 250;

/** @throws {ProtocolError} for a cursor that no page of ours ended with. */
export function pageOf(
  contracts: readonly Contract[],
  cursor: string | undefined,
  { annotations = {}, pageSize = PAGE_SIZE }: ListOptions,
  era: Era,
): ListToolsResult {
  const start = cursor === undefined ? 0 : offsetIn(cursor, contracts.length);
  const end = start + pageSize;
  const page = contracts.slice(start, end);
  return {
    tools: page.map((contract) => toolOf(contract, annotations[contract.originalName], era)),
    ...(end < contracts.length ? { nextCursor: cursorAt(end) } : {}),
  };
}

function cursorAt(offset: number): string {
  return Buffer.from(`tools:${offset}`).toString("base64url");
}

function offsetIn(cursor: string, count: number): number {
  const [, digits] = /^tools:(\d+)$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  const offset = Number(digits ?? Number.NaN);
  if (offset > 0 && offset < count) return offset;
  throw new ProtocolError(
    ProtocolErrorCode.InvalidParams,
    `The cursor ${JSON.stringify(cursor)} is of no page of this list; list from the start`,
  );
}

function toolOf(contract: Contract, hints: ToolAnnotations | undefined, era: Era): Tool {
  const { name, originalName, description, inputSchema, outputSchema } = contract;
  const annotations = { ...contract.annotations, ...hints };
  return {
    name,
    description,
    inputSchema: inputSchema as Tool["inputSchema"],
    ...(originalName === name ? {} : { title: originalName }),
    ...(outputSchema && canSay(outputSchema.type, era)
      ? { outputSchema: outputSchema as Tool["outputSchema"] }
      : {}),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

/** Clients of 2025 throw on any other root than an object. */
export function canSay(type: unknown, era: Era): boolean {
  return era === "modern" || type === "object";
}
