/** Entries taken out of the text of a configuration. */
import { describe, expect, test } from "vitest";
import { withoutEntries } from "../../harness/config-edit.ts";

const FILE = "twintrack.config.ts";

const config = `import { defineConfig, python } from "twintrack/config";
import { refundAgent, type Agent } from "./agent.ts";
import { sale } from "./flow.ts";

const kept: Record<string, number> = { "a,b": 1 };

export default defineConfig({
  tools: {
    // Nobody calls it any more.
    shop: { module: "./tools.ts", effects: { rate: "read" } },
    crm: { module: "./crm.ts" },
  },
  flows: {
    sale: {
      legacy: refundAgent as Agent,
      candidate: sale,
      extract: { legacy: (out) => out["}"], candidate: (out: string) => \`\${out}}\` },
      noise: { sample: 0.1 },
    },
    other: { legacy: () => import("./other.ts").then((m) => m.chain), candidate: sale },
    ...(kept.b ? { desk: { legacy: python("desk:chain"), candidate: sale } } : {}),
  },
});
`;

const edit = (...entries: [string, ...string[]][]) => withoutEntries(FILE, config, entries);

describe("an entry", () => {
  test("goes with its line, and with the import that only it used", () => {
    const { text, droppedImports } = edit(["flows", "sale", "legacy"]);
    expect(text).not.toContain("refundAgent");
    expect(text).not.toContain("./agent.ts");
    expect(text).toContain("candidate: sale,");
    expect(text).toContain('import { sale } from "./flow.ts";');
    expect(droppedImports).toEqual(["./agent.ts"]);
  });

  test("inside a line leaves the rest of the line", () => {
    const { text, droppedImports } = edit(["flows", "other", "legacy"]);
    expect(text).toContain("    other: { candidate: sale },\n");
    expect(droppedImports).toEqual(["./other.ts"]);
  });

  test("is found in what is spread on a condition; a name that is left over goes from its import", () => {
    const { text } = edit(["flows", "desk", "legacy"]);
    expect(text).toContain("{ desk: { candidate: sale } }");
    expect(text).toContain('import { defineConfig } from "twintrack/config";');
  });

  test("deep inside, past braces in strings, templates and types", () => {
    const { text } = edit(["flows", "sale", "extract", "legacy"]);
    expect(text).toContain(`extract: { candidate: (out: string) => \`\${out}}\` },`);
  });

  test("that does nothing any more goes whole, and stays where it does not stand as a literal", () => {
    const idle = (...names: string[]) =>
      withoutEntries(FILE, config, [["flows", "sale", "legacy"]], [["flows", ...names]]).text;
    expect(idle("sale", "extract")).not.toContain("extract");
    expect(idle("sale", "noise")).not.toContain("noise");
    expect(idle("shared", "noise")).toBe(edit(["flows", "sale", "legacy"]).text);
  });

  test("beside others of its line goes with them, and nothing else does", () => {
    const line =
      "export default { flows: { sale: { legacy: a, extract: { legacy: b }, noise: {} }, c: 1 } };";
    const idle: [string, ...string[]][] = [
      ["flows", "sale", "extract"],
      ["flows", "sale", "noise"],
    ];
    const { text } = withoutEntries(FILE, line, [["flows", "sale", "legacy"]], idle);
    expect(text.replaceAll(/\s+/g, " ")).toBe("export default { flows: { sale: { }, c: 1 } };");
  });

  test("among several goes with them", () => {
    const { text } = edit(["flows", "sale", "legacy"], ["tools", "shop"], ["tools", "crm"]);
    expect(text).toMatch(/tools: \{\s*\/\/ Nobody calls it any more\.\s*\}/);
  });
});

describe("a configuration is refused", () => {
  test.each([
    [
      "whose flows are computed",
      "export default defineConfig({ flows: flowsOf(x) });",
      "flows.sale",
    ],
    [
      "with an entry that is not understood",
      "export default { flows: { sale: { legacy: make<A, B>(c), candidate: d } } };",
      "flows.sale.legacy",
    ],
    ["whose default export is a name", "const c = {}; export default c;", "does not end in"],
    [
      "that names an entry twice",
      "export default { flows: { ...(a ? { sale: { legacy: b } } : { sale: { legacy: c } }) } };",
      "only once",
    ],
  ])("%s", (_, text, message) => {
    expect(() => withoutEntries(FILE, text, [["flows", "sale", "legacy"]])).toThrow(
      expect.objectContaining({
        code: "STAGE_REFUSED",
        message: expect.stringContaining(message) as string,
      }),
    );
  });
});
