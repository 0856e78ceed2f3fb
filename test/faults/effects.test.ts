/** Faults H of the catalogue, as far as they are about tools: no shadow repeats a write, whatever it tries. */
import { tool } from "@langchain/core/tools";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { type Flow, flow } from "../../core/flow.ts";
import { resolveConfig, type TwintrackConfig } from "../../harness/config.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { freshDatabase } from "../database.ts";

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

let written: string[] = [];

const write = (name: string) =>
  tool(async ({ text }: { text: string }) => written.push(`${name} ${text}`) && `${name} done`, {
    name,
    description: "Writes.",
    schema: z.object({ text: z.string() }),
  });
const [send, mail] = [write("send"), write("mail")];

const schemas = { version: "1", input: z.object({ text: z.string() }), output: z.unknown() };
const calls = (...names: string[]) =>
  names
    .reduce(
      (built, name, index) =>
        built.step(`s${index}`, {
          tool: `post.${name}`,
          needs: (index === 0 ? [] : [`s${index - 1}`]) as never,
          args: ({ input }: { input: { text: string } }) => ({ text: input.text }),
          output: z.unknown(),
          onError: "continue",
        }) as never,
      flow("posts", schemas) as never as {
        step: (...args: unknown[]) => never;
        returns: (answer: () => string) => Flow;
      },
    )
    .returns(() => "done");

async function judgedInProcess(
  candidate: Flow,
  effects: Record<string, "read" | "write">,
): Promise<{ verdict: string; effects: string[] }> {
  written = [];
  const fresh = await freshDatabase("postgres");
  const config: TwintrackConfig = {
    tools: { post: { tools: [send, mail], effects } },
    flows: {
      posts: {
        legacy:
          () =>
          async ({ text }: { text: string }) => {
            await send.invoke({ text });
            await mail.invoke({ text });
            return "done";
          },
        candidate,
        stage: "shadow",
      },
    },
  };
  const resolved = { ...resolveConfig(config), dataDir: fresh.dataDir, databaseUrl: fresh.url };
  const harness: Harness = openHarness(resolved);
  opened.push(fresh.drop, () => harness.close());
  await harness.live.answer("posts", { text: "a" });
  await harness.settle();
  const [row] = await fresh.db.query<{ verdict: string }>("select verdict from twintrack.trials");
  const rows = await fresh.db.query<{ difference: string }>(
    "select difference from twintrack.differences where compared = 'candidate' order by ordinal",
  );
  const found = rows.map(({ difference }) => JSON.parse(difference));
  return {
    verdict: row?.verdict ?? "",
    effects: found
      .filter(({ kind }) => kind === "effect")
      .map(({ path, detail }) => `${path} ${detail}`),
  };
}

test("H2: a tool that nobody declared a read is a write, and is not run again", async () => {
  const trial = await judgedInProcess(calls("send", "mail", "mail"), {});
  expect(written).toEqual(["send a", "mail a"]);
  expect(trial.verdict).toBe("mismatch");
});

test("H3: isolation needs no flag: without a role, in the caller's own process, nothing is written twice", async () => {
  expect(process.env.TWINTRACK_ROLE).toBeUndefined();
  const trial = await judgedInProcess(calls("send", "mail", "send"), {});
  expect(written).toEqual(["send a", "mail a"]);
  expect(trial.effects).toHaveLength(1);
});

test.each([
  ["in another order", calls("mail", "send"), /reordered/],
  ["once more", calls("send", "send", "mail"), /duplicated|extra/],
  ["fewer", calls("send"), /missing/],
])("H4: writes %s are a difference of effects", async (_how, candidate, detail) => {
  const trial = await judgedInProcess(candidate, {});
  expect(written).toEqual(["send a", "mail a"]);
  expect(trial.verdict).toBe("mismatch");
  expect(trial.effects.join("\n")).toMatch(detail);
});
