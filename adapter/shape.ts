/**
 * Which of LangChain's many tool shapes a value is, by its members and never by `instanceof`:
 * one process may hold several copies of `@langchain/core`, and LangChain's own
 * `isStructuredTool` is true for messages and for every runnable.
 */

/** What every tool that can be called has. */
export interface ToolObject {
  name: string;
  description?: string;
  schema?: unknown;
  outputSchema?: unknown;
  responseFormat?: string;
  metadata?: Record<string, unknown>;
  extras?: Record<string, unknown>;
  /** What the constructor was given; LangChain keeps an author's string schema nowhere else. */
  lc_kwargs?: { schema?: unknown };
  invoke(input: unknown, config?: object): Promise<unknown>;
  /** Present on everything that descends from `StructuredTool`; a runnable made a tool has none. */
  _call?(args: unknown, runManager?: unknown, config?: unknown): unknown;
}

export type Shape =
  | { kind: "tool"; tool: ToolObject }
  | { kind: "group"; members: readonly unknown[] }
  | { kind: "unsupported"; name: string; reason: string };

export function shapeOf(value: unknown): Shape {
  if (Array.isArray(value)) return { kind: "group", members: value };
  if (typeof value === "function") return unsupported(value.name, PLAIN_FUNCTION);
  if (typeof value !== "object" || value === null) {
    return unsupported(String(value), "It is not a tool but a plain value.");
  }
  const fields = value as Record<string, unknown>;
  if (isHeadless(fields)) return unsupported(fields.name, HEADLESS);
  if (isTool(fields)) return { kind: "tool", tool: fields as unknown as ToolObject };
  if (typeof fields.getTools === "function") return group(fields.getTools.call(value));
  if (Array.isArray(fields.tools)) return group(fields.tools);
  return notCallable(fields) ?? recordOf(fields);
}

/** A record or a module of tools; of any other object nobody knows which members are tools. */
function recordOf(fields: Record<string, unknown>): Shape {
  const prototype: unknown = Object.getPrototypeOf(fields);
  if (prototype === Object.prototype || prototype === null) {
    return { kind: "group", members: Object.values(fields) };
  }
  const name = fields.constructor?.name;
  return unsupported(name, `It is an object of class ${name || "(unnamed)"} and not a tool.`);
}

const PLAIN_FUNCTION =
  "A plain function has no name and schema for callers. Wrap it: tool(fn, { name, description, schema }). If it makes tools, export what it returns.";
const HEADLESS =
  "A headless tool has no function; it interrupts a graph and cannot run outside one. Give it a function.";
const BARE_RUNNABLE =
  "A bare runnable has no schema. Make it a tool: runnable.asTool({ name, description, schema }).";
const DEFINITION = "It is only a definition for a model, without a function to call.";
const PROVIDER = "It is a tool that the model's provider runs on its own servers.";

function isTool(fields: Record<string, unknown>): boolean {
  const { name, schema, invoke } = fields;
  return typeof name === "string" && typeof invoke === "function" && typeof schema === "object";
}

function isHeadless(fields: Record<string, unknown>): boolean {
  const metadata = fields.metadata as { headlessTool?: unknown } | undefined;
  return metadata?.headlessTool === true;
}

/** Why a value that is an object is no tool; undefined for a plain record of other values. */
function notCallable(fields: Record<string, unknown>): Shape | undefined {
  const { name, type, schema, invoke } = fields;
  if (typeof invoke === "function")
    return unsupported(name ?? fields.constructor?.name, BARE_RUNNABLE);
  if (isDefinition(fields)) {
    const inner = (fields.function ?? fields) as { name?: unknown };
    return unsupported(inner.name, DEFINITION);
  }
  if (typeof type === "string") return unsupported(name ?? type, PROVIDER);
  return typeof name === "string" && schema === undefined
    ? unsupported(name, "It has neither a schema nor a function to call.")
    : undefined;
}

function isDefinition(fields: Record<string, unknown>): boolean {
  if (fields.type === "function") return true;
  const { name, schema, parameters, input_schema } = fields;
  return typeof name === "string" && [schema, parameters, input_schema].some(isObject);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function group(members: unknown): Shape {
  return { kind: "group", members: Array.isArray(members) ? members : [members] };
}

function unsupported(name: unknown, reason: string): Shape {
  return {
    kind: "unsupported",
    name: typeof name === "string" && name ? name : "(unnamed)",
    reason,
  };
}
