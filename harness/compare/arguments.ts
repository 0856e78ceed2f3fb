/**
 * Whether two calls of one write are the same but for what rules explain.
 *
 * Rules reach an argument at `/effects/<tool>/<argument>`. Only rules that name the tool count: one
 * that ignores ids wherever they are must not let a write go to another id.
 */
import type { JsonValue } from "../../core/json.ts";
import { compare } from "./compare.ts";
import { isUnexplained } from "./difference.ts";
import type { CompiledRule } from "./rules.ts";

/** The rule that explains the other arguments; undefined where one of them is not explained. */
export function ruleForArguments(
  tool: string,
  sides: { legacy: JsonValue; candidate: JsonValue },
  rules: readonly CompiledRule[],
): string | undefined {
  const own = rulesFor(tool, rules);
  if (own.length === 0) return undefined;
  const { verdict, differences } = compared(tool, sides, own);
  return verdict === "ignored" ? differences[0]?.rule : undefined;
}

/** For a message: more of them would bury it. */
const MOST_NAMED = 5;

/** Where the arguments differ and no rule explains it, as rules write it; the first few. */
export function unexplainedArguments(
  tool: string,
  sides: { legacy: JsonValue; candidate: JsonValue },
  rules: readonly CompiledRule[],
): string[] {
  const { differences } = compared(tool, sides, rulesFor(tool, rules));
  const unexplained = differences.filter(isUnexplained).slice(0, MOST_NAMED);
  return unexplained.map(({ path }) => path);
}

/** What rules let a write have otherwise: where a chain that runs once more is answered from a record. */
export function freeArguments(rules: readonly CompiledRule[]): Record<string, string[][]> {
  const paths = rules.flatMap(({ pattern, verb }) => {
    const [first, tool, ...keys] = pattern.filter((segment) => typeof segment === "string");
    // Ignoring is for everything below, which is the one segment that is no name.
    const isLiteral = verb.kind === "ignore" && keys.length + 3 === pattern.length;
    return isLiteral && first === "effects" && tool !== undefined ? [{ tool, keys }] : [];
  });
  const byTool = [...Map.groupBy(paths, ({ tool }) => tool)];
  return Object.fromEntries(byTool.map(([tool, of]) => [tool, of.map(({ keys }) => keys)]));
}

function compared(
  tool: string,
  { legacy, candidate }: { legacy: JsonValue; candidate: JsonValue },
  rules: readonly CompiledRule[],
) {
  return compare({ effects: { [tool]: legacy } }, { effects: { [tool]: candidate } }, rules);
}

function rulesFor(tool: string, rules: readonly CompiledRule[]): readonly CompiledRule[] {
  return rules.filter(({ pattern: [first, name] }) => first === "effects" && name === tool);
}
