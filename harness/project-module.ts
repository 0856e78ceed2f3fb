/** Modules of the user's project, loaded by their files. */
import { pathToFileURL } from "node:url";

export async function importFromProject(file: string): Promise<Record<string, unknown>> {
  silenceTypeless();
  return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
}

/**
 * What a module offers by name. Of CommonJS Node finds the names by reading the source, and finds
 * none in `module.exports = { tools: [book] }`: there they are those of the default.
 */
export function exportsOf(module: Record<string, unknown>): Record<string, unknown> {
  const { default: whole, "module.exports": _same, ...named } = module;
  const isRecord = typeof whole === "object" && whole !== null && !Array.isArray(whole);
  const own = whole === undefined ? named : { default: whole, ...named };
  return isRecord ? { ...(whole as Record<string, unknown>), ...own } : own;
}

const TYPELESS = "MODULE_TYPELESS_PACKAGE_JSON";
let isSilent = false;

/**
 * A package.json without "type" is no fault of a project in Python or in CommonJS, and Node would say
 * so in four lines before every reply. Every other warning stays.
 */
function silenceTypeless(): void {
  if (isSilent) return;
  isSilent = true;
  const emit = process.emitWarning as (...args: unknown[]) => void;
  process.emitWarning = ((...args: unknown[]) => {
    const isTypeless = args.some((arg) => arg === TYPELESS || codeOf(arg) === TYPELESS);
    if (!isTypeless) emit.apply(process, args);
  }) as typeof process.emitWarning;
}

function codeOf(value: unknown): unknown {
  return (value as { code?: unknown } | null | undefined)?.code;
}
