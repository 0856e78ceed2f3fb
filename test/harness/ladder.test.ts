/** The ladder: what is next, what holds, and what may not be left out. */
import { describe, expect, test } from "vitest";
import type { GateResult } from "../../harness/gate.ts";
import { checkClimb, ladderOf, planOf, type Standing } from "../../harness/ladder.ts";
import type { FlowStage } from "../../harness/stage.ts";

const now = new Date("2026-05-10T12:00:00Z");
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000);
const open: GateResult = { decision: "open", reasons: [] };

const ladder = ladderOf({
  ladder: [
    { stage: "canary", percent: 25, holdHours: 48 },
    { stage: "canary", percent: 5, holdHours: 24 },
  ],
});

const at = (stage: FlowStage["stage"], canaryPercent = 0): FlowStage => ({
  stage,
  canaryPercent,
  version: 1,
});
const standing = (stage: FlowStage, more: Partial<Standing> = {}): Standing => ({
  ...{ stage, since: hoursAgo(1), cooldownUntil: null, gate: open, now },
  ...more,
});

describe("a plan", () => {
  test("goes up by share, whatever the order in which the steps were written, and ends at cutover", () => {
    const { steps, next } = planOf(ladder, standing(at("shadow")));
    expect(steps.map(({ percent, state }) => [percent, state])).toEqual([
      [5, "next"],
      [25, "later"],
      [100, "later"],
    ]);
    expect(next).toMatchObject({ stage: "canary", percent: 5, holdHours: 24 });
  });

  test("blocks the next step until the one before has been held", () => {
    const early = planOf(ladder, standing(at("canary", 5), { since: hoursAgo(23) }));
    expect(early.notBefore).toBe("2026-05-10T13:00:00.000Z");
    expect(early.blockedBy).toEqual(["it is held until 2026-05-10T13:00:00.000Z"]);
    expect(planOf(ladder, standing(at("canary", 5), { since: hoursAgo(25) })).blockedBy).toEqual(
      [],
    );
  });

  test("names every criterion of a gate that is not open", () => {
    const reason = {
      observed: 1,
      limit: 300,
      n: 1,
      status: "undecided",
      detail: "299 more",
    } as const;
    const gate: GateResult = {
      decision: "undecided",
      reasons: [{ criterion: "min_trials", ...reason }],
    };
    expect(planOf(ladder, standing(at("shadow"), { gate })).blockedBy).toEqual([
      "min_trials: 299 more",
    ]);
  });

  test("has nothing to climb after the cutover, and nothing that blocks it", () => {
    const { next, blockedBy, percent } = planOf(ladder, standing(at("cutover")));
    expect({ next, blockedBy, percent }).toEqual({ next: null, blockedBy: [], percent: 100 });
  });

  test("of a flow without a ladder is one step", () => {
    expect(ladderOf({})).toEqual([{ stage: "cutover" }]);
    expect(ladderOf({ gate: { autoPromote: { to: "canary", percent: 2 } } })).toEqual([
      { stage: "canary", percent: 2 },
      { stage: "cutover" },
    ]);
  });
});

describe("a climb", () => {
  const climb = (stage: FlowStage, percent: number, more: Partial<Standing> = {}) =>
    checkClimb("pay", ladder, standing(stage, more), percent);
  const refused = (why: string) =>
    expect.objectContaining({ code: "STAGE_REFUSED", message: expect.stringContaining(why) });

  test("may be smaller than the next step and not larger", () => {
    expect(() => climb(at("shadow"), 3)).not.toThrow();
    expect(() => climb(at("shadow"), 5)).not.toThrow();
    expect(() => climb(at("shadow"), 25)).toThrow(refused("the next step of its ladder is 5 %"));
    expect(() => climb(at("canary", 25), 100, { since: hoursAgo(50) })).not.toThrow();
  });

  test("is refused while a hold or a cool-down is not over", () => {
    expect(() => climb(at("canary", 5), 25)).toThrow(refused("held until"));
    const cooldownUntil = new Date(now.getTime() + 1);
    expect(() => climb(at("shadow"), 5, { cooldownUntil })).toThrow(refused("cools down until"));
    expect(() => climb(at("shadow"), 5, { cooldownUntil: now })).not.toThrow();
  });

  test("down to a smaller share is never refused", () => {
    expect(() => climb(at("canary", 25), 5)).not.toThrow();
  });
});
