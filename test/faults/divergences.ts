/** Seeded divergences and clean shadows: what the comparison finds, misses and invents. */
import type { JsonValue } from "../../core/json.ts";
import { compare } from "../../harness/compare/compare.ts";
import { proposeRules, type Sighting } from "../../harness/compare/propose.ts";
import type { Rule } from "../../harness/compare/rules.ts";
import { judgeRuns } from "../../harness/judgement.ts";
import { PLAIN } from "../app/privacy.ts";
import { randomOf } from "../random.ts";
import { answerOf, callOf, SEEDS, type Seed, withNoise } from "./documents.ts";

export interface Found {
  seeded: number;
  /** With the divergence that most trials of the same seed have, and no other. */
  rightlyGrouped: number;
  /** Different divergences over all seeds; one for each when none are mixed up. */
  groups: number;
}

/** Each trial goes wrong in one of the ways, or makes one of four other writes. */
export function seedDivergences(trials: number): Found {
  const ways: (Seed | { name: string })[] = [...SEEDS, ...WRITES.map((name) => ({ name }))];
  const found = Array.from({ length: trials }, (_, n) => {
    const way = ways[n % ways.length] as Seed;
    return { name: way.name, divergences: divergencesOf(way, n).join() };
  });
  const bySeed = Map.groupBy(found, ({ name }) => name);
  const usual = new Map(
    [...bySeed].map(([name, all]) => [
      name,
      mostFrequent(all.map(({ divergences }) => divergences)),
    ]),
  );
  return {
    seeded: trials,
    rightlyGrouped: found.filter(
      ({ name, divergences }) => divergences !== "" && divergences === usual.get(name),
    ).length,
    groups: new Set(usual.values()).size,
  };
}

const WRITES = ["a write missing", "a write more", "a write changed", "a write twice"];

function divergencesOf(way: Seed | { name: string }, seed: number): string[] {
  const random = randomOf(seed);
  const legacy = answerOf(random);
  const candidate = "change" in way ? way.change(legacy, random) : legacy;
  const pay = callOf("pay.charge", { cents: seed }, "write");
  const mail = callOf("mail.send", { to: `c${seed}` }, "write");
  const calls: Record<string, (typeof pay)[]> = {
    "a write missing": [pay],
    "a write more": [pay, mail, callOf("crm.update", { n: seed }, "write")],
    "a write changed": [callOf("pay.charge", { cents: seed + 1 }, "write"), mail],
    "a write twice": [pay, pay, mail],
  };
  const { divergences } = judgeRuns(
    { flow: "seeded", config: {}, rules: [], mask: PLAIN.mask },
    {
      legacy: { outcome: { status: "returned", value: legacy }, calls: [pay, mail] },
      candidate: {
        outcome: { status: "returned", value: candidate },
        calls: calls[way.name] ?? [pay, mail],
      },
      noise: undefined,
    },
  );
  return divergences.map(({ fingerprint }) => fingerprint).sort();
}

function mostFrequent(texts: readonly string[]): string {
  const counts = Map.groupBy(texts, (text) => text);
  return [...counts].sort(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? "";
}

export interface Clean {
  trials: number;
  alarms: number;
  rules: Rule[];
}

/** Learns noise from 300 trials of legacy against itself and counts alarms in others. */
export function cleanShadow(trials: number): Clean {
  const pair = (seed: number): [JsonValue, JsonValue] => {
    const answer = answerOf(randomOf(seed));
    return [withNoise(answer, randomOf(seed + 1e6)), withNoise(answer, randomOf(seed + 2e6))];
  };
  const learning = Array.from({ length: 300 }, (_, n) => n);
  const sightings = learning.flatMap((n) =>
    (["noise", "candidate"] as const).flatMap((compared): Sighting[] => {
      const [legacy, other] = pair(compared === "noise" ? n : n + 50_000);
      return compare(legacy, other).differences.map((difference) => ({
        trial: `t${n}`,
        compared,
        difference,
      }));
    }),
  );
  const rules = proposeRules(learning.length, sightings).flatMap(({ proposal }) =>
    proposal.kind === "rule" ? [proposal.rule] : [],
  );
  let alarms = 0;
  for (let n = 0; n < trials; n++) {
    const [legacy, other] = pair(100_000 + n);
    if (compare(legacy, other, rules).verdict === "mismatch") alarms++;
  }
  return { trials, alarms, rules };
}
