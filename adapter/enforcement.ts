/**
 * How a tool server holds its callers and its tools to the contracts, whatever its language.
 *
 * Arguments: `lenient` leaves them to LangChain's own parser, which is what production does;
 * `strict` checks them against the published schema first. Results: `off` looks at none, `warn`
 * tells of a broken output schema and passes the result on, `enforce` makes it a failed result.
 * A violation is a result like any other failure of a tool, with its places under our `_meta` key.
 */
import type { JsonValue } from "../core/json.ts";
import { RESULT_META_KEY, type ToolResult } from "../core/tool.ts";
import { textBlock } from "./block.ts";
import { contractValue, validateArgs, validateResult } from "./contract.ts";
import type { Contract, ToolServer } from "./tool-server.ts";

export interface ContractModes {
  /** Default `lenient`. */
  input?: "lenient" | "strict";
  /** Default `warn`. */
  output?: "off" | "warn" | "enforce";
  /** Told of every violation that a mode looks for. */
  onViolation?: (violation: Violation) => void;
}

export interface Violation {
  tool: string;
  part: "input" | "output";
  /** Where and how, for example `/lines/0/cents must be integer`. */
  places: string[];
}

/** What the modes say of one tool's calls. */
export interface Enforcement {
  /** The failed result of arguments that never reach the tool. */
  refusal(args: JsonValue): ToolResult | undefined;
  /** The result as the caller gets it. */
  judged(result: ToolResult): ToolResult;
}

export function enforcement(
  contract: Contract,
  { input = "lenient", output = "warn", onViolation }: ContractModes,
): Enforcement {
  return {
    refusal(args) {
      const broken = input === "strict" ? brokenInput(contract, args) : undefined;
      if (!broken) return undefined;
      onViolation?.(broken);
      return failed(broken);
    },
    judged(result) {
      const broken = output === "off" ? undefined : brokenOutput(contract, result);
      if (!broken) return result;
      onViolation?.(broken);
      return output === "enforce" ? failed(broken, result) : warned(broken, result);
    },
  };
}

/** The same server, its calls checked. */
export function withContract(server: ToolServer, modes: ContractModes = {}): ToolServer {
  const enforcementOf = lookup(server, modes);
  const callTool: ToolServer["callTool"] = async (name, args, options) => {
    const enforced = await enforcementOf(name);
    const refused = enforced?.refusal(args);
    if (refused) return refused;
    const result = await server.callTool(name, args, options);
    return enforced ? enforced.judged(result) : result;
  };
  return {
    callTool,
    listTools: () => server.listTools(),
    unsupported: () => server.unsupported(),
    ...(server.onListChanged && { onListChanged: server.onListChanged.bind(server) }),
    close: () => server.close(),
  };
}

/** By legal or author's name; read again only when the server hands out another list. */
function lookup(server: ToolServer, modes: ContractModes) {
  let listed: readonly Contract[] | undefined;
  let byName = new Map<string, Enforcement>();
  return async (name: string): Promise<Enforcement | undefined> => {
    const contracts = await server.listTools();
    if (contracts !== listed) {
      listed = contracts;
      const all = contracts.map((one) => ({ one, enforced: enforcement(one, modes) }));
      byName = new Map([
        ...all.map(({ one, enforced }) => [one.originalName, enforced] as const),
        ...all.map(({ one, enforced }) => [one.name, enforced] as const),
      ]);
    }
    return byName.get(name);
  };
}

function brokenInput(contract: Contract, args: JsonValue): Violation | undefined {
  const places = validateArgs(contract, args ?? {});
  return places.length > 0 ? { tool: contract.name, part: "input", places } : undefined;
}

function brokenOutput(contract: Contract, result: ToolResult): Violation | undefined {
  if (result.isError || !contract.outputSchema) return undefined;
  const places = validateResult(contract, contractValue(result));
  return places.length > 0 ? { tool: contract.name, part: "output", places } : undefined;
}

const CODES = { input: "INPUT_INVALID", output: "OUTPUT_INVALID" } as const;

function failed(violation: Violation, result?: ToolResult): ToolResult {
  const { tool, part, places } = violation;
  const what = part === "input" ? "The arguments of" : "The result of";
  const message = `${what} ${tool} break its contract: ${places.join("; ")}`;
  const error = { name: "TwintrackError", code: CODES[part], message };
  const meta = { ...keptOf(result), error, violations: textsOf(violation) };
  return {
    content: [textBlock(message)],
    isError: true,
    _meta: { ...result?._meta, [RESULT_META_KEY]: meta },
  };
}

function warned(violation: Violation, result: ToolResult): ToolResult {
  const meta = { ...keptOf(result), violations: textsOf(violation) };
  return { ...result, _meta: { ...result._meta, [RESULT_META_KEY]: meta } };
}

function textsOf({ part, places }: Violation): string[] {
  return places.map((place) => `${part} ${place}`);
}

function keptOf(result: ToolResult | undefined): object {
  return (result?._meta?.[RESULT_META_KEY] ?? {}) as object;
}
