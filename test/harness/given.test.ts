/** What of a legacy tool's result the candidate is given: what a call of the tool would give it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Command } from "@langchain/langgraph";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { python, resolveConfig } from "../../harness/config.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { here, interpreter } from "../adapter/python-process.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

class Point {
  x = 1;
}

/** Values that JSON cannot give back as what they were. */
const VALUES: Record<string, unknown> = {
  date: new Date(0),
  instance: new Point(),
  map: new Map([["a", 1]]),
  bigint: 12n,
  nan: Number.NaN,
  bytes: Buffer.from("hi"),
  plain: { a: [1] },
  message: new ToolMessage({ content: "from a message", tool_call_id: "1" }),
  update: new Command({ update: { a: 1 } }),
  order: new Command({ update: { a: 1 }, goto: "elsewhere" }),
  likeMessage: { tool_call_id: "1", content: "from a service", status: "error", cost: 2 },
};

const Kind = z.object({ kind: z.string() });
const fetchOne = tool(async ({ kind }) => VALUES[kind], {
  name: "fetch",
  description: "Fetches a value of a kind.",
  schema: Kind,
});

/** A model is told what is in a message; of the state of a graph here is what an update says. */
async function told({ kind }: { kind: string }) {
  const returned: unknown = await fetchOne.invoke({ kind });
  if (returned instanceof ToolMessage) return returned.content;
  return returned instanceof Command ? { update: returned.update } : returned;
}

const fetching = (name: string) =>
  flow(name, { version: "1", input: Kind, output: z.unknown() })
    .step("got", { tool: "shop.fetch", args: ({ input }) => input, output: z.unknown() })
    .returns(({ got }) => got);

let fresh: TestDatabase;
let harness: Harness;
const folder = mkdtempSync(join(tmpdir(), "twintrack-given-"));
beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  const shadow = { stage: "shadow" } as const;
  const config = resolveConfig({
    dataDir: folder,
    database: { url: fresh.url ?? "" },
    tools: {
      shop: { tools: [fetchOne], effects: { fetch: "read" } },
      // Of the same name as the others: the flow says whose it calls, or its language does.
      mall: { tools: [fetchOne], effects: { fetch: "read" } },
      desk: { python: "given:TOOLS", interpreter, cwd: here, effects: { fetch: "read" } },
    },
    flows: {
      inJavaScript: {
        legacy: () => told,
        candidate: fetching("inJavaScript"),
        tools: ["shop"],
        ...shadow,
      },
      inPython: {
        legacy: python("given:chain", { interpreter, cwd: here }),
        candidate: flow("inPython", { version: "1", input: Kind, output: z.unknown() })
          .step("got", { tool: "desk.fetch", args: ({ input }) => input, output: z.unknown() })
          .returns(({ got }) => got),
        ...shadow,
      },
    },
  });
  harness = openHarness(config);
});
afterAll(async () => {
  await harness.close();
  await fresh.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function verdictOf(name: string, kind: string) {
  const { trialId } = await harness.live.answer(name, { kind });
  await harness.settle();
  const [row] = await fresh.db.query("select verdict, reason from twintrack.trials where id = $1", [
    trialId,
  ]);
  return row;
}

const IN_JAVASCRIPT = [
  ...["date", "instance", "map", "bigint", "nan", "bytes", "plain"],
  ...["message", "update", "likeMessage"],
];
test.each(IN_JAVASCRIPT)(
  "a %s of a tool in JavaScript is given as a call would give it",
  async (kind) => {
    expect(await verdictOf("inJavaScript", kind)).toEqual({ verdict: "match", reason: null });
  },
);

const IN_PYTHON = [
  ...["model", "dataclass", "date", "decimal", "tuple", "set", "nan", "long", "plain"],
  ...["message", "update"],
];
test.each(IN_PYTHON)("a %s of a tool in Python is given as a call would give it", async (kind) => {
  expect(await verdictOf("inPython", kind)).toEqual({ verdict: "match", reason: null });
});

test.each([
  ["inJavaScript", "order", "shop.fetch"],
  ["inPython", "order", "desk.fetch"],
])("%s, a %s is not what a call would give, and nothing is compared", async (name, kind, of) => {
  const verdict = { verdict: "incomparable", reason: `recording_lossy: ${of}` };
  expect(await verdictOf(name, kind)).toEqual(verdict);
});
