/** Looks at tools and at the Python they run in: what their contracts lose, and what nobody declared. */
import { pythonVersions } from "../adapter/python.ts";
import type { Contract } from "../adapter/tool-server.ts";
import { TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import type { ResolvedConfig } from "./config.ts";
import { type Finding, MIN_CORE, ok, older, problem, warning } from "./finding.ts";
import { isPython, openToolServer, pythonOptions } from "./side.ts";
import type { PythonSource, ToolSource } from "./source.ts";

const MIN_PYTHON = [3, 10] as const;

export async function toolFindings(
  config: ResolvedConfig,
  id: string,
  source: ToolSource,
): Promise<Finding[]> {
  const check = `tools.${id}`;
  try {
    const versions = isPython(source) ? await pythonFindings(config, check, source, "tools") : [];
    const server = await openToolServer(config, id, source);
    try {
      const [contracts, unsupported] = [await server.listTools(), await server.unsupported()];
      return [
        ...versions,
        ok(check, `${contracts.length} tools`),
        ...unsupported.map(({ name, reason }) => warning(check, `${name}: ${reason}`, NOT_BRIDGED)),
        ...undeclared(check, contracts, source.effects ?? {}),
        ...contracts.flatMap((contract) => losses(check, contract)),
      ];
    } finally {
      await server.close();
    }
  } catch (error) {
    return [problem(check, error)];
  }
}

const NOT_BRIDGED = "Change the tool as the reason says, or leave it out of the list.";

function undeclared(
  check: string,
  contracts: readonly Contract[],
  effects: Readonly<Record<string, string>>,
): Finding[] {
  const names = contracts.map(({ originalName }) => originalName);
  const missing = names.filter((name) => !Object.hasOwn(effects, name));
  const unknown = Object.keys(effects).filter((name) => !names.includes(name));
  // What they count as: pasted as it is, it makes no write a read.
  const declared = missing.map((name) => `${keyOf(name)}: "write"`).join(", ");
  return [
    ...(missing.length === 0
      ? []
      : [
          warning(
            check,
            `${missing.join(", ")}: no declared effect, so each counts as a write`,
            `effects: { ${declared} }, and "read" instead for those that only read`,
          ),
        ]),
    ...unknown.map((name) =>
      problem(
        check,
        new TwintrackError("CONFIG_INVALID", `effects names ${name}, and no tool is called so`, {
          hint: `There are: ${names.join(", ") || "none"}.`,
        }),
      ),
    ),
  ];
}

function keyOf(name: string): string {
  return /^[\w$]+$/.test(name) ? name : JSON.stringify(name);
}

/** What callers are not told by a contract. */
function losses(check: string, { name, description, inputSchema }: Contract): Finding[] {
  const vague = placesOfAnything(inputSchema, "");
  return [
    ...(description.trim() === ""
      ? [warning(check, `${name} has no description`, "Callers choose tools by it: add one.")]
      : []),
    ...(vague.length === 0
      ? []
      : [
          warning(
            check,
            `${name} takes anything at ${vague.join(", ")}: the type has no JSON Schema form`,
            "Use a type that has one, or describe the field.",
          ),
        ]),
  ];
}

/** Where a schema says nothing at all: no type, no values, no description. */
function placesOfAnything(schema: JsonObject, pointer: string): string[] {
  const { properties } = schema;
  if (!isJsonObject(properties)) return [];
  return Object.entries(properties).flatMap(([name, field]) => {
    const place = `${pointer}/${name}`;
    if (isEmpty(field)) return [place];
    return isJsonObject(field) ? placesOfAnything(field, place) : [];
  });
}

function isEmpty(field: JsonValue): boolean {
  if (!isJsonObject(field)) return field === true;
  return Object.keys(field).every((key) => key === "title" || key === "default");
}

export async function pythonFindings(
  config: ResolvedConfig,
  check: string,
  source: PythonSource,
  kind: "tools" | "chain",
): Promise<Finding[]> {
  const versions = await pythonVersions(pythonOptions(config, source), kind);
  const [version, core] = [String(versions.python), versions["langchain-core"]];
  const told = `Python ${version} in ${String(versions.executable)}, langchain-core ${String(core)}`;
  const notes = [
    older(version, MIN_PYTHON) && `Python ${version} is older than ${MIN_PYTHON.join(".")}`,
    typeof core === "string" &&
      older(core, MIN_CORE) &&
      `langchain-core ${core} is older than what is tested`,
  ].filter((note) => typeof note === "string");
  const fix = "Update the interpreter's environment, or name another one: interpreter: PATH.";
  return [ok(check, told), ...notes.map((note) => warning(check, note, fix))];
}
