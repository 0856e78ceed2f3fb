/** What a tool does to the world. A tool nobody declared counts as `write`. */
export type Effect = "read" | "write";

/** The effect of a tool, from a map that people wrote; undeclared means `write`. */
export function effectOf(effects: Readonly<Record<string, Effect>>, tool: string): Effect {
  return Object.hasOwn(effects, tool) && effects[tool] === "read" ? "read" : "write";
}
