import { expect, test } from "vitest";
import { type Comparison, compareRounds, interleave, quantile } from "./measure.ts";

const goal = { kind: "atMost", ratio: 1.1 } as const;

function comparison(ours: number[], again: number[] = [100, 100, 100]): Comparison {
  return {
    metric: "p50, ms",
    base: { name: "without", rounds: [100, 100, 100], again },
    ours: { name: "with", rounds: ours },
    goal,
  };
}

test("a goal is met when the ratio of medians and that of best rounds both reach it", () => {
  expect(compareRounds(comparison([105, 108, 300]))).toMatchObject({
    ratioOfMedians: 1.08,
    ratioOfBest: 1.05,
    verdict: "met",
  });
});

test("ratios that disagree are noise, whichever of them is the good one", () => {
  expect(compareRounds(comparison([105, 130, 140])).verdict).toBe("noisy, repeat");
});

test("a goal is not met when both ratios miss it", () => {
  expect(compareRounds(comparison([120, 130, 140])).verdict).toBe("not met");
});

test("nothing near the goal is decided while two measurements of the base differ by more", () => {
  const again = [120, 120, 120];

  expect(compareRounds(comparison([105, 108, 109], again)).verdict).toBe("noisy, repeat");
  expect(compareRounds(comparison([120, 125, 130], again)).verdict).toBe("noisy, repeat");
  expect(compareRounds(comparison([300, 310, 320], again)).verdict).toBe("not met");
});

test("a goal below 1 is met when the base's own noise could not have made the difference", () => {
  const half = (ours: number[], again: number[]) =>
    compareRounds({ ...comparison(ours, again), goal: { kind: "atMost", ratio: 0.5 } }).verdict;

  expect(half([40, 40, 40], [110, 110, 110])).toBe("met");
  expect(half([48, 48, 48], [110, 110, 110])).toBe("noisy, repeat");
  expect(half([60, 60, 60], [110, 110, 110])).toBe("not met");
});

test("a tail is judged against the worse of the two bases", () => {
  const tail = { ...comparison([112, 112, 112], [105, 105, 105]), against: "worse" as const };

  expect(compareRounds(tail)).toMatchObject({ ratioOfMedians: 112 / 105, verdict: "met" });
});

test("a speed-up is the base by ours", () => {
  const faster = {
    ...comparison([2, 2, 2]),
    inverted: true,
    goal: { kind: "atLeast" as const, ratio: 50 },
  };

  expect(compareRounds(faster)).toMatchObject({ ratioOfMedians: 50, verdict: "met" });
});

test("every case runs once per round", async () => {
  const order: string[] = [];
  const note = (name: string) => async (round: number) => order.push(`${name}${round}`);

  await interleave({ a: note("a"), b: note("b") }, 2);

  expect(order.slice(0, 2).sort()).toEqual(["a0", "b0"]);
  expect(order.slice(2).sort()).toEqual(["a1", "b1"]);
});

test("a quantile is a value that was measured", () => {
  expect(quantile([40, 10, 30, 20], 0.5)).toBe(20);
  expect(quantile([40, 10, 30, 20], 0.99)).toBe(40);
});
