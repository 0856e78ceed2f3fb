/** Writes of a candidate that are not letter for letter those of legacy, and are meant to be the same. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tool } from "@langchain/core/tools";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { resolveConfig } from "../../harness/config.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

let written: string[] = [];
beforeEach(() => {
  written = [];
});

const Order = z.object({ id: z.string(), cents: z.number() });
const book = tool(
  async ({ id }) => {
    written.push(`book ${id}`);
    return { booked: id };
  },
  { name: "book", description: "Books an order.", schema: Order },
);
const reserve = tool(
  async ({ order }) => {
    written.push(`reserve ${order.id}`);
    return { booked: order.id };
  },
  {
    name: "reserve",
    description: "Books an order, in the new way.",
    schema: z.object({ order: Order, currency: z.string() }),
  },
);
const Mail = z.object({ to: z.string(), body: z.string() });
const mail = tool(
  async ({ to }) => {
    written.push(`mail ${to}`);
    return "sent";
  },
  { name: "mail", description: "Sends a mail.", schema: Mail },
);

const Booked = z.object({ booked: z.string() });
const booking = (name: string, surcharge: number) =>
  flow(name, { version: "1", input: Order, output: Booked })
    .step("booked", {
      tool: "fresh.reserve",
      args: ({ input }) => ({
        order: { id: input.id, cents: input.cents + surcharge },
        currency: "EUR",
      }),
      output: Booked,
      legacy: {
        tool: "book",
        args: ({ input }) => ({ id: input.id, cents: input.cents + surcharge }),
      },
    })
    .returns(({ booked }) => booked);

const mailing = (name: string, to = "") =>
  flow(name, { version: "1", input: Order, output: z.string() })
    .step("sent", {
      tool: "shop.mail",
      args: ({ input }) => ({ to: to || input.id, body: "in other words" }),
      output: z.string(),
    })
    .returns(({ sent }) => `it is ${sent}`);
const mails = () => async (order: z.infer<typeof Order>) =>
  `it is ${await mail.invoke({ to: order.id, body: `worded ${Math.random()}` })}`;

/** Legacy keeps its books in code; the candidate has a tool for it. */
const keeping = (name: string, more: object) =>
  flow(name, { version: "1", input: Order, output: Booked })
    .step("kept", {
      tool: "shop.book",
      args: ({ input }) => ({ id: input.id, cents: input.cents }),
      output: Booked,
      ...more,
    })
    .returns(({ kept }) => kept);
const keepsInCode = () => async (order: z.infer<typeof Order>) => ({ booked: order.id });

const worded = [{ path: "/effects/shop.mail/body", ignore: true, reason: "a model words it" }];
const anywhere = [{ path: "/**/to", ignore: true, reason: "of answers" }];

let fresh: TestDatabase;
let harness: Harness;
const folder = mkdtempSync(join(tmpdir(), "twintrack-counterpart-"));
beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  const booked = () => (order: z.infer<typeof Order>) => book.invoke(order);
  const shadow = { stage: "shadow" } as const;
  harness = openHarness(
    resolveConfig({
      dataDir: folder,
      database: { url: fresh.url ?? "" },
      tools: { shop: { tools: [book, mail] }, fresh: { tools: [reserve] } },
      flows: {
        renamed: { legacy: booked, candidate: booking("renamed", 0), ...shadow },
        renamedAfter: { legacy: booked, candidate: booking("renamedAfter", 0), stage: "cutover" },
        dearer: { legacy: booked, candidate: booking("dearer", 1), ...shadow },
        inCode: {
          legacy: keepsInCode,
          candidate: keeping("inCode", {
            legacy: {
              inCode: ({ input }: { input: z.infer<typeof Order> }) => ({ booked: input.id }),
            },
          }),
          ...shadow,
        },
        inCodeAfter: {
          legacy: keepsInCode,
          candidate: keeping("inCodeAfter", {
            legacy: {
              inCode: () => {
                throw new Error("only a shadow asks");
              },
            },
          }),
          stage: "cutover",
        },
        inCodeUnsaid: { legacy: keepsInCode, candidate: keeping("inCodeUnsaid", {}), ...shadow },
        worded: {
          legacy: mails,
          candidate: mailing("worded"),
          compare: { rules: worded },
          noise: { sample: 1 },
          ...shadow,
        },
        wordedAfter: {
          legacy: mails,
          candidate: mailing("wordedAfter"),
          compare: { rules: worded },
          stage: "cutover",
        },
        astray: {
          legacy: mails,
          candidate: mailing("astray", "eve"),
          compare: { rules: [...worded, ...anywhere] },
          ...shadow,
        },
      },
    }),
  );
});
afterAll(async () => {
  await harness.close();
  await fresh.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function judged(name: string) {
  const { trialId } = await harness.live.answer(name, { id: "A-1", cents: 5 });
  await harness.settle();
  const [trial] = await fresh.db.query(
    "select verdict, noise_verdict, effect_differences from twintrack.trials where id = $1",
    [trialId],
  );
  const rows = await fresh.db.query<{ difference: string; rule: string | null }>(
    "select difference, rule from twintrack.differences where trial_id = $1",
    [trialId],
  );
  return { ...trial, told: rows.map(({ difference }) => difference).join(), rows };
}

test("a step that says which call it stands for is answered from that call", async () => {
  expect(await judged("renamed")).toMatchObject({ verdict: "match", effect_differences: 0 });
  expect(written).toEqual(["book A-1"]);
});

test("after cutover legacy is answered from the call that stands for its own", async () => {
  expect(await judged("renamedAfter")).toMatchObject({ verdict: "match", effect_differences: 0 });
  expect(written).toEqual(["reserve A-1"]);
});

test("a step that stands for a call with other arguments is refused, and the write is a changed one", async () => {
  const { told, ...trial } = await judged("dearer");
  expect(trial).toMatchObject({ verdict: "candidate_error", effect_differences: 1 });
  expect(told).toContain('"detail":"changed"');
  expect(written).toEqual(["book A-1"]);
});

test("a write that legacy makes in code is answered as its step says, shown, and not made", async () => {
  const { rows, ...trial } = await judged("inCode");
  expect(trial).toMatchObject({ verdict: "ignored", effect_differences: 0 });
  expect(rows).toMatchObject([{ rule: "legacy.inCode" }]);
  expect(rows[0]?.difference).toContain('"detail":"extra"');
  expect(written).toEqual([]);
});

test("a candidate that answers makes such a write, and nobody holds it against legacy", async () => {
  expect(await judged("inCodeAfter")).toMatchObject({ verdict: "ignored", effect_differences: 0 });
  expect(written).toEqual(["book A-1"]);
});

test("a write that legacy does not make, and of which nothing is said, is refused", async () => {
  expect(await judged("inCodeUnsaid")).toMatchObject({ verdict: "candidate_error" });
  expect(written).toEqual([]);
});

test("a write whose other arguments a rule explains is answered, and shown as explained", async () => {
  const { rows, ...trial } = await judged("worded");
  expect(trial).toMatchObject({ verdict: "ignored", effect_differences: 0 });
  expect(rows.map(({ rule }) => rule)).toContain("/effects/shop.mail/body");
  expect(written).toEqual(["mail A-1"]);
});

test("legacy that words its write anew is answered in a second run, and after cutover", async () => {
  expect(await judged("worded")).toMatchObject({ noise_verdict: "ignored" });
  expect(await judged("wordedAfter")).toMatchObject({ verdict: "ignored" });
  expect(written).toEqual(["mail A-1", "mail A-1"]);
});

test("a write with an argument that no rule for writes explains is refused, and the argument is named", async () => {
  const { told, ...trial } = await judged("astray");
  expect(trial).toMatchObject({ verdict: "candidate_error", effect_differences: 1 });
  expect(told).toContain("made with other arguments (/effects/shop.mail/to)");
  expect(written).toEqual(["mail A-1"]);
});
