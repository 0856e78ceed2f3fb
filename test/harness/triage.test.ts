/** Merges, splits and decisions: they hold for past trials, for new ones, and after rejudging. */
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { JsonObject } from "../../core/json.ts";
import { type Desk, reportOf, STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { rejudgeFlow } from "../../harness/rejudge.ts";
import { type App, startApp } from "../app/start.ts";
import { BACKENDS, type Backend } from "../database.ts";

const FILE = fileURLToPath(new URL("../app/rejudge.config.ts", import.meta.url));
const FLOW = "drifting";

const apps: App[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const app of apps.splice(0)) await app.close();
});

interface Bench {
  app: App;
  desk: Desk;
  say(command: string, args: JsonObject): Promise<JsonObject>;
  /** Divergences by title. */
  seen(): Promise<
    Map<string, { fingerprint: string; count: number; blocking: boolean; why: string }>
  >;
  answer(from: number, to: number): Promise<void>;
}

/** Trials whose tags are in another order (even n), whose numbers are rounded, and whose errors differ (every 14th). */
async function judged(backend: Backend, triggers: number): Promise<Bench> {
  vi.stubEnv("TWINTRACK_TEST_RULES", JSON.stringify([{ path: "/error/name", ignore: true }]));
  const app = await startApp(backend, FILE);
  apps.push(app);
  const desk = { config: app.config, db: await app.harness.database(), sides: app.harness.sides };
  const bench: Bench = {
    app,
    desk,
    async say(command, args) {
      const reply = await STORE_COMMANDS[command]?.(desk, {
        flow: FLOW,
        who: "ann",
        why: "a test",
        ...args,
      });
      return reply?.data as JsonObject;
    },
    async seen() {
      const [flow] = (await reportOf(desk, FLOW)).flows;
      return new Map(
        flow?.divergences.map((one) => [
          one.title,
          {
            fingerprint: one.fingerprint,
            count: one.count,
            blocking: one.blocking,
            why: one.whyGrouped,
          },
        ]),
      );
    },
    async answer(from, to) {
      for (let n = from; n <= to; n++) await app.harness.live.answer(FLOW, { n });
      await app.harness.settle();
    },
  };
  await bench.answer(1, triggers);
  return bench;
}

const ROUNDED = "`/rounded` value differs";
const ORDER = "`/tags/*` in another order";

describe.each(BACKENDS)("on %s", (backend) => {
  test("a merge makes one divergence of past and new trials, also after rejudging, until it is taken back; what was said stays as it was said", async () => {
    const bench = await judged(backend, 6);
    const before = await bench.seen();
    const [rounded, order] = [before.get(ROUNDED), before.get(ORDER)];
    const pair = `${rounded?.fingerprint},${order?.fingerprint}`;

    await bench.say("triage merge", { merge: pair, why: "one cause" });
    await bench.say("triage", { fingerprint: rounded?.fingerprint ?? "", as: "intended" });
    const merged = await bench.seen();
    await bench.answer(8, 13);
    await rejudgeFlow(bench.desk.db, bench.app.config, FLOW);
    const later = await bench.seen();
    await bench.say("triage restore", { restore: rounded?.fingerprint ?? "" });
    const restored = await bench.seen();
    await bench.say("triage split", { split: order?.fingerprint ?? "", by: "path" });
    const parts = [...(await bench.seen()).keys()].filter((title) => title.startsWith(ORDER));

    // Of n = 1…6 all but 3 and 6 are rounded and 2, 4, 6 are in another order.
    expect([rounded?.count, order?.count]).toEqual([4, 3]);
    expect(merged.has(ORDER)).toBe(false);
    expect(merged.get(ROUNDED)).toMatchObject({ count: 5, blocking: false });
    expect(merged.get(ROUNDED)?.why).toContain("ann merged");
    expect(merged.get(ROUNDED)?.why).toContain("one cause");
    expect(later.has(ORDER)).toBe(false);
    expect(later.get(ROUNDED)).toMatchObject({ count: 10, blocking: false });
    expect(restored.get(ORDER)).toMatchObject({ count: 6, blocking: true });
    expect(restored.get(ORDER)?.why).toContain("the same kind of difference (order)");
    expect(parts).toEqual([`${ORDER}, at \`/tags/0\``]);
    const [flow] = (await reportOf(bench.desk, FLOW)).flows;
    expect(flow?.trace).toMatchObject({ trials: 12, steps: [{ name: "charged" }] });
    for (const change of [
      "update twintrack.decisions set why = 'other'",
      "delete from twintrack.groupings",
    ])
      await expect(bench.desk.db.query(change)).rejects.toThrow("only ever added");
  });
});

test("what was merged into a merged divergence goes along", async () => {
  const bench = await judged("postgres", 6);
  const [a, b, c] = [...(await bench.seen()).values()].map(({ fingerprint }) => fingerprint);

  await bench.say("triage merge", { merge: `${b},${c}` });
  await bench.say("triage merge", { merge: `${a},${b}` });

  const { history } = await bench.say("triage history", {});
  const seen = [...(await bench.seen()).values()].map(({ fingerprint }) => fingerprint);
  expect(seen).toContain(a);
  expect(seen).not.toContain(b);
  expect(seen).not.toContain(c);
  expect(
    (history as { what: string; fingerprint: string }[]).map(({ what, fingerprint }) => [
      fingerprint,
      what,
    ]),
  ).toEqual([
    [c, `merge into ${b}`],
    [b, `merge into ${a}`],
    [c, `merge into ${a}`],
  ]);
});

test("a split by message gives each message a divergence of its own, in new trials, too", async () => {
  const bench = await judged("postgres", 28);
  const errors = "both failed, `/error/message` differs";
  const whole = (await bench.seen()).get(errors);
  await bench.say("triage", { fingerprint: whole?.fingerprint ?? "", as: "intended" });

  await bench.say("triage split", {
    split: whole?.fingerprint ?? "",
    by: "message",
    why: "two bugs",
  });
  await bench.answer(42, 42);

  const parts = [...(await bench.seen())].filter(([title]) => title.startsWith(errors));
  expect(whole).toMatchObject({ count: 2 });
  expect(parts.map(([title, { count, blocking }]) => [title, count, blocking]).sort()).toEqual([
    [`${errors}: 14 is not allowed`, 1, true],
    [`${errors}: 28 is not allowed`, 1, true],
    [`${errors}: 42 is not allowed`, 1, true],
  ]);
  expect(parts[0]?.[1].why).toContain("ann split them by it: two bugs");
  // A part is decided on by its own name.
  const [, part] = parts[0] ?? [];
  await bench.say("triage", { fingerprint: part?.fingerprint ?? "", as: "noise" });
  const [, decided] =
    [...(await bench.seen())].find(([, one]) => one.fingerprint === part?.fingerprint) ?? [];
  expect(decided?.blocking).toBe(false);
});

test("a decision that excuses a difference ends after 90 days, unless it says never", async () => {
  const bench = await judged("postgres", 2);
  const fingerprint = (await bench.seen()).get(ORDER)?.fingerprint ?? "";
  const inDays = (until: unknown) =>
    Math.round((Date.parse(String(until)) - Date.now()) / 86_400_000);

  expect(inDays((await bench.say("triage", { fingerprint, as: "noise" })).until)).toBe(90);
  expect(
    (await bench.say("triage", { fingerprint, as: "noise", until: "never" })).until,
  ).toBeNull();
  expect(
    await bench.say("triage", { fingerprint, as: "candidate_bug", owner: "bo" }),
  ).toMatchObject({
    until: null,
    who: "ann",
    owner: "bo",
  });
});

test("what cannot be merged or split is refused by name", async () => {
  const bench = await judged("postgres", 4);
  const [a = "", b = ""] = [...(await bench.seen()).values()].map(({ fingerprint }) => fingerprint);
  const refused = (command: string, args: JsonObject) =>
    expect(bench.say(command, args)).rejects.toMatchObject({ code: "USAGE" });

  await refused("triage merge", { merge: a });
  await refused("triage merge", { merge: `${a},v1:0000000000000000` });
  await refused("triage split", { split: a, by: "colour" });
  await bench.say("triage merge", { merge: `${a},${b}` });
  await refused("triage split", { split: a, by: "path" });
  await refused("triage split", { split: b, by: "path" });
});
