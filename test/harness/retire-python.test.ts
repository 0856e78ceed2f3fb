/** Retirement in a Python project: a module that anything may still use stays. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { loadConfig } from "../../harness/config.ts";
import { openSides } from "../../harness/side.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

interface Retired {
  deletableFiles: string[];
  keptFiles: { file: string; by: string[] }[];
  patch: string;
}

const CONFIG = `export default {
  flows: {
    desk: {
      legacy: { python: "support.graph:desk" },
      candidate: { name: "desk", hash: "h", steps: [] },
    },
  },
};
`;

/** What the chain of the flow is made of. */
const LEGACY = {
  "support/__init__.py": "",
  "support/graph.py": `"""Usage:

    from support.cli import main
"""
from support import service
from .prompts import (
    SYSTEM,  # said (first)
    USER as user,
)

def desk(given):
    import support.data.rows as rows
    return rows
`,
  "support/service.py": "answer = 1\n",
  "support/prompts.py": "SYSTEM = USER = ''\n",
  "support/data/rows.py": "ROWS = []\n",
  "support/cli.py": "def main(): ...\n",
};

describe("retiring a flow in Python", () => {
  let fresh: TestDatabase;
  let folder: string;
  beforeAll(async () => {
    fresh = await freshDatabase("postgres");
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "twintrack-retire-python-"));
    execFileSync("git", ["init", "-q"], { cwd: folder });
    write({ "twintrack.config.mjs": CONFIG, ...LEGACY });
    await fresh.db.query("delete from twintrack.flows");
    await fresh.db.query("insert into twintrack.flows (name, stage) values ('desk', 'cutover')");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  afterAll(() => fresh.drop());

  function write(files: Record<string, string>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  }

  async function retire(args: object = { dryRun: true }): Promise<Retired> {
    const loaded = await loadConfig(join(folder, "twintrack.config.mjs"));
    const config = { ...loaded, dataDir: fresh.dataDir };
    const desk = { config, db: fresh.db, sides: openSides(config) };
    try {
      const given = { flow: "desk", who: "ann", why: "a test", ...args };
      return (await STORE_COMMANDS.retire?.(desk, given as never))?.data as unknown as Retired;
    } finally {
      await desk.sides.close();
    }
  }

  test("deletes what only its chain imports, and nothing that only a text speaks of", async () => {
    rmSync(join(folder, "support", "cli.py"));
    const { deletableFiles, keptFiles } = await retire();
    expect(keptFiles).toEqual([]);
    expect(deletableFiles).toEqual([
      "support/__init__.py",
      "support/data/rows.py",
      "support/graph.py",
      "support/prompts.py",
      "support/service.py",
    ]);
  });

  test("keeps the package of a module that stays, and what the package needs", async () => {
    write({ "support/__init__.py": "from .service import answer\n" });
    const { deletableFiles, keptFiles } = await retire();
    expect(deletableFiles).toContain("support/graph.py");
    expect(keptFiles).toEqual([
      { file: "support/__init__.py", by: ["support/cli.py", "support/service.py"] },
      { file: "support/service.py", by: ["support/__init__.py"] },
    ]);
  });

  test.each([
    ["app_main.py", "from support.graph import desk\n"],
    ["scripts/nightly.py", "import support.graph as g\n"],
    ["app.py", "import json, support.graph\n"],
    ["app.py", "from support import (\n    other,  # a (note)\n    graph as g,\n)\n"],
    ["app.py", "from support import \\\n    graph\n"],
    ["app.py", "def later():\n    from support import graph\n"],
    ["app.py", "if TYPE_CHECKING:\n    from support.graph import desk\n"],
    ["app.py", "try: from support.graph import desk\nexcept ImportError: pass\n"],
    ["app.py", "from support import *\n"],
    ["support/web.py", "from .graph import desk\n"],
    ["support/web.py", "from . import graph\n"],
    ["support/api/web.py", "from ..graph import desk\n"],
    ["support/api/web.py", "from .. import graph\n"],
    ["app.py", 'importlib.import_module("support.graph")\n'],
    ["app.py", 'importlib.import_module(f"support.{name}")\n'],
    ["tools/run.py", 'sys.path.insert(0, "../support")\nimport graph\n'],
    ["serve.py", 'uvicorn.run("support.graph:desk", port=80)\n'],
    ["test_app.py", '@mock.patch("support.graph.desk")\ndef test(): ...\n'],
    ["look.ipynb", JSON.stringify({ cells: [{ source: ["x = 1\n", "import support.graph\n"] }] })],
    ["langgraph.json", '{ "graphs": { "desk": "./support/graph.py:desk" } }'],
    ["support/langgraph.json", '{ "graphs": { "desk": "./graph.py:desk" } }'],
    ["pyproject.toml", '[project.scripts]\ndesk = "support.graph:desk"\n'],
    ["Dockerfile", 'CMD ["python", "-m", "support.graph"]\n'],
    ["compose.yaml", "services: { desk: { command: [python, /srv/support/graph.py] } }\n"],
    ["Procfile", "web: uvicorn support.graph:desk\n"],
    [
      ".github/workflows/nightly.yml",
      "jobs: { a: { steps: [{ run: python support/graph.py }] } }\n",
    ],
    ["start.ts", 'spawn("python", ["support/graph.py"]);\n'],
  ])("keeps a module that %s uses: %j", async (name, text) => {
    write({ [name]: text });
    const { deletableFiles, keptFiles } = await retire();
    expect(deletableFiles).not.toContain("support/graph.py");
    expect(keptFiles.find(({ file }) => file === "support/graph.py")?.by).toContain(name);
    expect(deletableFiles).not.toContain("support/service.py");
  });

  test("is not kept by words that happen to be its name", async () => {
    write({
      "compose.yaml": "volumes: [ /graph, graph ]\nnote: graph\n",
      "app.py": 'kind = "graph"\nfrom networkx.support import graphs\nself.support.graph.x = 1\n',
      "flow.ts": "// The new form of graph.py.\nexport const graph = 1;\n",
      "NOTES.md": "support.graph was replaced, see support/graph.py\n",
    });
    expect((await retire()).deletableFiles).toContain("support/graph.py");
  });

  test("keeps what is found below src, and what can be run by itself", async () => {
    mkdirSync(join(folder, "src"));
    symlinkSync(join(folder, "nothing"), join(folder, "src", "broken.py"));
    write({
      "twintrack.config.mjs": CONFIG.replace('desk" },', 'desk", cwd: "src" },'),
      "src/support/graph.py": "from support.service import answer\nimport support.seed\n",
      "src/support/service.py": "answer = 1\n",
      "src/support/seed.py": 'if __name__ == "__main__":\n    print(1)\n',
      "tests/test_service.py": "import support.service\n",
    });
    rmSync(join(folder, "support"), { recursive: true });
    const { deletableFiles, keptFiles } = await retire();
    expect(deletableFiles).toEqual(["src/support/graph.py"]);
    expect(keptFiles).toEqual([
      { file: "src/support/seed.py", by: ["it can be run by itself"] },
      { file: "src/support/service.py", by: ["tests/test_service.py"] },
    ]);
  });

  test("writes its patch also when the flow was retired without one", async () => {
    write({ "app.py": "from support import prompts\n" });
    await retire({});
    const { patch } = await retire({ patch: true });
    execFileSync("git", ["apply"], { cwd: folder, input: patch });
    expect(existsSync(join(folder, "support", "graph.py"))).toBe(false);
    expect(existsSync(join(folder, "support", "prompts.py"))).toBe(true);
  });
});
