/** What is said of a configuration that is wrong, and where one is looked for. */
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveConfig } from "../../harness/config.ts";
import { command, document, ROOT } from "../app/command.ts";

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "twintrack-config-")));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const flows = (body: string) => `export default { flows: { sale: { ${body} } } };\n`;

describe("a configuration that does not load is told with file, line and column", () => {
  const legacy = "const x: number = 1;\nexport default {\n  flows: { a: { gate = {} } },\n};\n";
  test.each([
    ["that V8 refuses", "v8.config.ts", legacy, "v8.config.ts:3:17"],
    [
      "that Node cannot strip",
      "strip.config.ts",
      "const a = 1;\nconst b: = 2;\n",
      "strip.config.ts:2:10",
    ],
    ["in JavaScript", "js.config.mjs", "export default { a: 1 b };\n", "js.config.mjs:1:23"],
    [
      "with a name of Python's",
      "none.config.ts",
      "export default { a: None };\n",
      "none.config.ts:1:21",
    ],
    [
      "that imports what is wrong",
      "importing.config.ts",
      'import "./v8.config.ts";\n',
      "v8.config.ts:3:17",
    ],
    [
      "that imports what is not there",
      "missing.config.ts",
      'import { a } from "./ok.ts";\n',
      "missing.config.ts:1:10",
    ],
  ])("%s", async (_, name, text, place) => {
    write("v8.config.ts", legacy);
    write("ok.ts", "export const b = 1;\n");
    write(name, text);
    const { code, error } = await document(["doctor", "--config", name], { cwd: folder });
    expect(code).toBe(2);
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain(`(${join(folder, place)})`);
    expect(error.hint).toContain(place);
  });

  test("and so is a flow that it loads", async () => {
    write("broken-flow.ts", "export const sale = { steps = [] };\n");
    write(
      "flow.config.ts",
      flows('legacy: () => () => 1, candidate: () => import("./broken-flow.ts")'),
    );
    const { stdout } = await command(["doctor", "--config", "flow.config.ts"], { cwd: folder });
    expect(stdout).toContain(`${join(folder, "broken-flow.ts")}:1:`);
  });
});

describe("a key that is not known is named, with the one that was meant", () => {
  test.each([
    ["flows.sale.gate.min_trials", { flows: { sale: { gate: { min_trials: 80 } } } }, "minTrials"],
    [
      "flows.sale.gate.autoDemote.windowHour",
      { flows: { sale: { gate: { autoDemote: { windowHour: 1 } } } } },
      "windowHours",
    ],
    ["flows.sale.legacey", { flows: { sale: { legacey: () => 1 } } }, "legacy"],
    ["egres", { egres: {}, flows: {} }, "egress"],
    ["flow", { flow: {} }, "flows"],
  ])("%s", (place, config, meant) => {
    expect(() => resolveConfig(config as never)).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(`at ${place}: is not known`),
        hint: `Did you mean ${meant}?`,
      }),
    );
  });

  test("and a limit below zero is refused before a gate reads it", () => {
    const config = { flows: { sale: { gate: { minTrials: -1 } } } };
    expect(() => resolveConfig(config)).toThrow(/flows\.sale\.gate\.minTrials/);
  });
});

test("an extractor that is misspelt is told the words there are", () => {
  const config = { flows: { sale: { extract: { legacy: "agents" } } } };
  expect(() => resolveConfig(config as never)).toThrow(
    /flows\.sale\.extract\.legacy: must be "agent", or a function/,
  );
});

test("the configuration is looked for up to the root of the repository, and no further", async () => {
  const repository = join(folder, "repository");
  const inner = join(repository, "packages", "app", "src");
  mkdirSync(inner, { recursive: true });
  mkdirSync(join(repository, ".git"));
  writeFileSync(join(repository, "packages", "app", "package.json"), '{ "type": "module" }');
  const file = join(repository, "twintrack.config.mjs");
  writeFileSync(file, "export default { flows: {} };\n");
  const { reply } = await document(["doctor"], { cwd: inner });
  expect(reply.data.findings).toContainEqual({
    check: "configuration",
    status: "ok",
    detail: file,
  });

  rmSync(file);
  writeFileSync(join(folder, "twintrack.config.mjs"), "export default { flows: {} };\n");
  const { code, error } = await document(["doctor"], { cwd: inner });
  expect(code).toBe(2);
  expect(error.message).toContain(`No configuration in ${inner}`);
  rmSync(join(folder, "twintrack.config.mjs"));
});

test("every section of README that is pointed at exists", () => {
  const headings = new Set(
    [...readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/^#+ (.+)$/gm)].map(
      ([, text]) => text,
    ),
  );
  const files = globSync("{core,adapter,harness,python-bridge/src}/**/*.{ts,py}", { cwd: ROOT });
  const named = files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    return [...text.matchAll(/README,? section (?:"([^"]+)")?/g)].map((match) => match[1]);
  });
  expect(named.length).toBeGreaterThan(1);
  expect(named.filter((name) => name === undefined || !headings.has(name))).toEqual([]);
});

test.each(["nonsense", "localhost:5432/app", "mysql://u:secret@h/db"])(
  "a database at %s is refused: by the variable's name, and without its value",
  (url) => {
    const config = (given: object, env: object) => () =>
      resolveConfig({ flows: {}, ...given }, env as NodeJS.ProcessEnv);
    const refused = (message: string) =>
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message,
        hint: expect.stringContaining("postgres://"),
      });
    expect(config({}, { TWINTRACK_DATABASE_URL: url })).toThrow(
      refused("TWINTRACK_DATABASE_URL is not the URL of a Postgres"),
    );
    expect(config({ file: "/a.config.ts", database: { url } }, {})).toThrow(
      refused("Configuration /a.config.ts at database.url: is not the URL of a Postgres"),
    );
  },
);

test.each(["postgres://localhost/app", "postgresql://u:p@h:1/db?ssl=1", "socket:/run/pg?db=app"])(
  "a database at %s is taken",
  (url) => {
    const env = { TWINTRACK_DATABASE_URL: url };
    expect(resolveConfig({ flows: {} }, env).databaseUrl).toBe(url);
  },
);
