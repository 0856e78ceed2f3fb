/** Legacy against itself: what it costs, what it proves, and which rule is proposed from it. */
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import type { JsonValue } from "../../core/json.ts";
import { type Desk, reportOf, STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { proposalsText } from "../../harness/cli/rules-command.ts";
import { compare } from "../../harness/compare/compare.ts";
import {
  excessBound,
  type PathNoise,
  proposeRules,
  type Sighting,
} from "../../harness/compare/propose.ts";
import { resolveConfig } from "../../harness/config.ts";
import type { FlowConfig } from "../../harness/flow-config.ts";
import { renderHtml } from "../../harness/report/html.ts";
import { renderText } from "../../harness/report/text.ts";
import { openHarness } from "../../harness/twintrack.ts";
import { BACKENDS, type Backend, freshPlace } from "../database.ts";
import { randomOf } from "../random.ts";

const closers: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(backend: Backend, flows: Record<string, FlowConfig>) {
  const fresh = await freshPlace(backend);
  const config = { ...resolveConfig({ flows }), dataDir: fresh.dataDir, databaseUrl: fresh.url };
  const harness = openHarness(config);
  closers.push(async () => {
    await harness.close();
    await fresh.drop();
  });
  const desk: Desk = { config, db: await harness.database(), sides: harness.sides };
  return { harness, desk };
}

describe("a second run of legacy", () => {
  const schemas = { version: "1", input: z.unknown(), output: z.unknown() };
  const says = (name: string) => flow(name, schemas).returns(() => "yes");
  async function noiseOf(name: string, noise: FlowConfig["noise"], modelCallsPerDay: number) {
    const model = new FakeListChatModel({ responses: ["yes", "no", "perhaps"] });
    const legacy = async () => (await model.invoke("well?")).content;
    const one: FlowConfig = {
      legacy: () => legacy,
      candidate: says(name) as never,
      stage: "shadow",
      noise: { sample: 1, ...noise },
      shadow: { modelCallsPerDay },
    };
    const { harness, desk } = await start("postgres", { [name]: one });
    for (let n = 0; n < 2; n++) await harness.live.answer(name, { n });
    await harness.settle();
    const rows = await desk.db.query<{ noise: string | null }>(
      "select noise_verdict as noise from twintrack.trials order by seq",
    );
    return rows.map((row) => row.noise);
  }

  test("asks its models again, so that their mood is measured", async () => {
    expect(await noiseOf("asks", {}, 10)).toContain("mismatch");
  });

  test("with shared models gets the first run's answers, and costs no question", async () => {
    expect(await noiseOf("shares", { models: "shared" }, 0)).toEqual(["match", "match"]);
  });

  test("spends the day's budget of model calls, and is left out when that is used up", async () => {
    const verdicts = await noiseOf("spends", {}, 1);
    expect(verdicts.filter((verdict) => verdict !== null)).toHaveLength(1);
  });
});

/** Trials 0…n-1; `at` says in which of them a path differs, in which comparison. */
function seen(
  trials: number,
  path: string,
  compared: Sighting["compared"],
  when: (trial: number) => boolean,
  values: (trial: number) => [JsonValue, JsonValue] = (n) => [`a${n}`, `b${n}`],
): Sighting[] {
  return Array.from({ length: trials }, (_, n) => n)
    .filter(when)
    .map((n) => {
      const [legacy, candidate] = values(n);
      return { trial: `t${n}`, compared, difference: { kind: "value", path, legacy, candidate } };
    });
}

const always = () => true;
const both = (
  trials: number,
  path: string,
  ...rest: [((n: number) => boolean)?, ((n: number) => [JsonValue, JsonValue])?]
) =>
  (["noise", "candidate"] as const).flatMap((compared) =>
    seen(trials, path, compared, rest[0] ?? always, rest[1]),
  );
const ruleOf = (found: PathNoise | undefined) =>
  found?.proposal.kind === "rule" ? found.proposal.rule : undefined;

describe("a proposal", () => {
  test.each([2, 10, 20])("is not made from %i trials, however often they differ", (trials) => {
    const [found] = proposeRules(trials, both(trials, "/id"));

    expect(found?.noise.rate).toBe(1);
    expect(found?.proposal.kind).toBe("none");
  });

  test("names the path of a value that differs in 30 of 30 trials on both sides", () => {
    const [found] = proposeRules(30, both(30, "/id"));

    expect(ruleOf(found)).toMatchObject({ path: "/id", ignore: true });
    expect(ruleOf(found)?.reason).toContain("30 of 30 trials (95 % interval 88 % to 100 %)");
  });

  test("never ignores the whole answer, however noisy it is", () => {
    const [found] = proposeRules(200, both(200, ""));

    expect(found).toMatchObject({
      path: "",
      proposal: { kind: "none", why: expect.stringContaining("the whole answer") },
    });
  });

  test("is not made where candidate differs more often than legacy itself", () => {
    const noisy = (n: number) => n % 2 === 0;
    const found = proposeRules(200, [
      ...seen(200, "/total", "noise", noisy),
      ...seen(200, "/total", "candidate", always),
    ]);

    expect(found[0]).toMatchObject({
      onlyCandidate: 100,
      proposal: { why: expect.stringContaining("more often") },
    });
  });

  test("is not made where legacy hardly ever differs from itself", () => {
    const [found] = proposeRules(
      1_000,
      both(1_000, "/rare", (n) => n % 50 === 0),
    );

    expect(found?.proposal).toMatchObject({
      kind: "none",
      why: expect.stringContaining("20 of 1000"),
    });
  });

  test("for a path that only candidate shows is not even considered", () => {
    expect(proposeRules(50, seen(50, "/bug", "candidate", always))).toEqual([]);
  });

  test.each<[string, (n: number) => [JsonValue, JsonValue], object]>([
    ["ids of any kind are of that form", (n) => [uuid(n), uuid(n + 1)], { as: "uuid" }],
    [
      "timestamps are times",
      (n) => [`2026-01-01T00:00:${10 + (n % 40)}Z`, "2026-01-01T00:01:00Z"],
      { as: "time" },
    ],
    [
      "numbers near each other are within half more than what legacy's own differ",
      (n) => [100, 100 + (n % 5) / 10],
      { tolerance: { absolute: 0.6 } },
    ],
    ["numbers that have nothing in common are ignored", (n) => [n, 1e9 - n], { ignore: true }],
  ])("is the narrowest: %s", (_, values, verb) => {
    const [found] = proposeRules(40, both(40, "/x", always, values));

    expect(ruleOf(found)).toMatchObject({ path: "/x", ...verb });
  });

  test("has `*` only for indexes that vary, and leaves the fields beside it alone", () => {
    const sightings = ["/items/0/id", "/items/1/id", "/rows/7/id"].flatMap((path) =>
      both(40, path),
    );
    const items = (id: string, name: string) => ({
      items: [
        { id, name },
        { id: `${id}2`, name },
      ],
    });

    const rules = proposeRules(40, sightings).flatMap((found) => ruleOf(found) ?? []);

    expect(rules.map(({ path }) => path).sort()).toEqual(["/items/*/id", "/rows/7/id"]);
    expect(compare(items("a", "x"), items("b", "x"), rules).verdict).toBe("ignored");
    expect(compare(items("a", "x"), items("b", "y"), rules).verdict).toBe("mismatch");
  });

  test("for an array in another order is a set", () => {
    const moved = both(40, "/tags/1").map((one) => ({
      ...one,
      difference: { ...one.difference, kind: "order" as const },
    }));

    expect(ruleOf(proposeRules(40, moved)[0])).toMatchObject({ path: "/tags", as: "set" });
  });

  test.each([
    ["a whole object", { kind: "extra" as const, path: "/meta", candidate: { a: 1 } }],
    ["an error", { kind: "error" as const, path: "/error/message", legacy: "a", candidate: "b" }],
    ["a write", { kind: "effect" as const, path: "/effects/pay" }],
  ])("is never made for %s, because a rule there would hide more than noise", (_, difference) => {
    const sightings = both(60, "/x").map((one) => ({ ...one, difference }));

    expect(proposeRules(60, sightings)[0]?.proposal.kind).toBe("none");
  });

  test("is made for a candidate that is 15 points worse in at most 5 % of simulated shadows", () => {
    const random = randomOf(7);
    let wrong = 0;
    const shadows = 400;
    for (let shadow = 0; shadow < shadows; shadow++) {
      let [onlyCandidate, onlyNoise] = [0, 0];
      for (let trial = 0; trial < 150; trial++) {
        const [noise, candidate] = [random() < 0.3, random() < 0.46];
        if (candidate && !noise) onlyCandidate++;
        if (noise && !candidate) onlyNoise++;
      }
      if (excessBound(onlyCandidate, onlyNoise, 150) <= 0.15) wrong++;
    }
    expect(wrong / shadows).toBeLessThanOrEqual(0.05);
  });
});

test("proposals are told with their evidence and the rule to paste, or why there is none", () => {
  const paths = proposeRules(40, [...both(40, "/id"), ...both(40, "/rare", (n) => n === 3)]);

  expect(
    proposalsText({ flow: "f", trials: 40, paths }),
  ).toBe(`f: 40 trials in which legacy ran twice

/id  legacy with itself 100 % (91.2 %–100 %), with candidate 100 % (91.2 %–100 %); at most 8.81 % more often
  {"path":"/id","ignore":true,"reason":"legacy differs from itself here in 40 of 40 trials (95 % interval 91 % to 100 %)"}

/rare  legacy with itself 2.5 % (0.0633 %–13.2 %), with candidate 2.5 % (0.0633 %–13.2 %); at most 8.81 % more often
  no rule: legacy differs here in 1 of 40 trials, for sure only in 0.13 % of all`);
});

function uuid(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

const ids: FlowConfig = {
  legacy:
    () =>
    async ({ n }: { n: number }) => ({ id: crypto.randomUUID(), n, note: "same" }),
  candidate: flow("ids", {
    version: "1",
    input: z.object({ n: z.number() }),
    output: z.unknown(),
  })
    .step("made", {
      run: ({ input }) => ({
        id: crypto.randomUUID(),
        n: input.n,
        note: input.n === 7 ? "other" : "same",
      }),
    })
    .returns(({ made }) => made) as never,
  stage: "shadow",
  noise: { sample: 1 },
};
const wide: FlowConfig = {
  legacy:
    () =>
    async ({ n }: { n: number }) => ({ data: { a: n, b: 1, c: 2 }, total: n }),
  candidate: flow("wide", {
    version: "1",
    input: z.object({ n: z.number() }),
    output: z.unknown(),
  }).returns(({ input }) => ({
    data: { a: input.n + 1, b: 1, c: 2 },
    total: input.n,
  })) as never,
  stage: "shadow",
  compare: { rules: [{ path: "/data/**", ignore: true }] },
};
const narrow: FlowConfig = { ...wide, compare: { rules: [{ path: "/data/a", ignore: true }] } };
describe.each(BACKENDS)("on %s", (backend) => {
  let shared: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    shared = await start(backend, { ids, wide, narrow });
    const { harness } = shared;
    for (let n = 0; n < 30; n++) await harness.live.answer("ids", { n });
    for (const name of ["wide", "narrow"])
      for (let n = 0; n < 4; n++) await harness.live.answer(name, { n });
    await harness.settle();
  });

  test("B11: ids that are new in every run are proposed as a form, and nothing is ignored until the rule is there", async () => {
    const { desk } = shared;
    const reply = await STORE_COMMANDS["rules propose"]?.(desk, { flow: "ids" });

    const { trials, paths } = (reply?.data ?? {}) as unknown as {
      trials: number;
      paths: PathNoise[];
    };
    expect(trials).toBe(30);
    expect(paths.map(({ path }) => path)).toEqual(["/id"]);
    expect(ruleOf(paths[0])).toMatchObject({ path: "/id", as: "uuid" });
    const [report] = (await reportOf(desk, "ids")).flows;
    expect(report?.verdicts).toEqual({ mismatch: 30 });
    const titles = report?.divergences.map(({ title, count, noiseRate }) => [
      title,
      count,
      noiseRate?.rate,
    ]);
    expect(titles).toEqual([
      ["`/id` value differs", 30, 1],
      ["`/note` value differs", 1, 0],
    ]);
  });

  test("B5: what rules explain is counted and shown, and an alarm says when they hide most of the answers", async () => {
    const { desk } = shared;
    const report = await reportOf(desk);

    const rulesOf = (name: string) => report.flows.find((one) => one.name === name);
    expect(rulesOf("wide")).toMatchObject({
      verdicts: { ignored: 4 },
      rules: [{ path: "/data/**", trials: 4, explained: 4, hidden: 0.75 }],
      alarms: [expect.stringContaining("Rules hide 75 %")],
    });
    expect(rulesOf("narrow")).toMatchObject({ rules: [{ hidden: 0.25 }], alarms: [] });
    const told = "/data/** 4 differences in 4 trials, hides 75 % of the answers";
    expect(renderText(report, { color: false, width: 100 })).toContain(told);
    expect(renderHtml(report)).toContain(told);
    const kept = await desk.db.query<{ rule: string }>(
      "select d.rule from twintrack.differences d join twintrack.trials t on t.id = d.trial_id where t.flow = 'wide'",
    );
    expect(kept.map(({ rule }) => rule)).toEqual(Array(4).fill("/data/**"));
  });
});
