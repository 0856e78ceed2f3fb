/**
 * G6, G7, G8: the comparison of two answers against what others would compare them with.
 *
 * The documents are answers of agents: messages with tool calls, documents with metadata. Both
 * sides were parsed from text of their own, so that nothing is shared. A redacted document has lost
 * a field of every message by `delete`, as masks do, which turns its objects into dictionaries.
 * What must hold of the answers themselves (one insertion is one difference, and the values that
 * others call equal are not) is checked before anything is measured.
 */

import type { JsonObject, JsonValue } from "../../core/json.ts";
import { compare } from "../../harness/compare/compare.ts";
import { fastDeepEqual, fastJsonPatchDiff, jsonDiffPatchDiff } from "../peers/json-diff.ts";
import { type Comparison, type Goal, interleave, threadCpuUs } from "./measure.ts";

const ROUNDS = 9;
/** The first cases call until they are compiled; the number of calls settles meanwhile. */
const WARM_UP_ROUNDS = 6;
/** A round of one case takes about so long; CPU time is told in steps of 4 ms on some machines. */
const ROUND_MS = 100;

const SIZES = [
  ["10 KB", 10],
  ["100 KB", 100],
  ["1 MB", 1_000],
] as const;

type Pair = readonly [legacy: JsonObject, candidate: JsonObject];

/** About a kilobyte for each message. */
function answerOf(messages: number): JsonObject {
  const text = (n: number, words: number) =>
    Array.from({ length: words }, (_, word) => `word${(n * 31 + word * 7) % 997}`).join(" ");
  return {
    messages: Array.from({ length: messages }, (_, n) => ({
      id: `msg-${n}`,
      role: n % 2 === 0 ? "assistant" : "tool",
      content: text(n, 40),
      tool_calls: [{ id: `call-${n}`, name: "search", args: { query: text(n, 5), limit: n % 10 } }],
      documents: [0, 1].map((m) => ({
        id: `doc-${n}-${m}`,
        metadata: { source: `kb/${n}`, score: n / 100, tags: ["a", "b", "c"], page: m },
      })),
      usage: { input: n * 3, output: n * 2, cached: null },
    })),
    done: true,
  };
}

const copyOf = (value: JsonObject) => JSON.parse(JSON.stringify(value)) as JsonObject;
const messagesOf = (answer: JsonObject) => answer.messages as JsonObject[];

function fourEdits(messages: number): Pair {
  const [legacy, candidate] = [answerOf(messages), copyOf(answerOf(messages))];
  const list = messagesOf(candidate);
  for (const at of [0.1, 0.4, 0.6, 0.9]) {
    (list[Math.floor(at * messages)] as JsonObject).content = `edited ${at}`;
  }
  return [copyOf(legacy), candidate];
}

function redacted([legacy, candidate]: Pair): Pair {
  for (const answer of [legacy, candidate])
    for (const message of messagesOf(answer)) {
      delete message.usage;
      delete (message.tool_calls as JsonObject[])[0]?.name;
    }
  return [legacy, candidate];
}

function oneInsertion(messages: number): Pair {
  const candidate = answerOf(messages);
  messagesOf(candidate).splice(Math.floor(messages / 2), 0, { id: "new", role: "tool" });
  return [answerOf(messages), copyOf(candidate)];
}

const numbers = (count: number, from: number): JsonValue[] =>
  Array.from({ length: count }, (_, n) => n + from);

/** @throws {Error} when ours is fast because it is wrong. */
function checkAnswers(): void {
  for (const [name, size] of SIZES) {
    const inserted = compare(...oneInsertion(size)).differences.length;
    if (inserted !== 1) throw new Error(`One insertion into ${name} is ${inserted} differences`);
    const edited = compare(...fourEdits(size)).differences.length;
    if (edited !== 4) throw new Error(`Four edits of ${name} are ${edited} differences`);
  }
  const unequal: [JsonValue, JsonValue][] = [
    [{}, JSON.parse('{"__proto__":1}') as JsonValue],
    [{}, { constructor: 1 }],
    [{ toString: 1 }, {}],
    [1, 2],
    [null, {}],
  ];
  for (const pair of unequal) {
    if (compare(...pair).verdict !== "mismatch") throw new Error(`Equal: ${JSON.stringify(pair)}`);
  }
}

/** Microseconds of this thread for one call, over enough calls for a round. */
function costOf(work: () => unknown): () => Promise<number> {
  let calls = 1;
  return async () => {
    const startedMs = performance.now();
    const startedUs = threadCpuUs();
    for (let call = 0; call < calls; call++) work();
    const eachUs = (threadCpuUs() - startedUs) / calls;
    // By the clock, which unlike the thread's CPU time is never too coarse for the first call.
    const wanted = (calls * ROUND_MS) / (performance.now() - startedMs);
    calls = Math.max(1, Math.min(Math.round(wanted), calls * 8));
    return eachUs;
  };
}

interface Measured {
  metric: string;
  ours: () => unknown;
  base: () => unknown;
  baseName: string;
  goal: Goal;
  inverted?: boolean;
  rounds?: number;
}

async function measured({
  metric,
  ours,
  base,
  baseName,
  goal,
  inverted = false,
  rounds = ROUNDS,
}: Measured): Promise<Comparison> {
  const cases = { ours: costOf(ours), base: costOf(base), again: costOf(base) };
  await interleave(cases, Math.min(WARM_UP_ROUNDS, rounds));
  const found = await interleave(cases, rounds);
  return {
    metric,
    base: { name: baseName, rounds: found.base, again: found.again },
    ours: { name: "compare", rounds: found.ours },
    inverted,
    goal,
  };
}

function differing(): Measured[] {
  return SIZES.flatMap(([name, size]) => {
    const cases = { edited: fourEdits(size), redacted: redacted(fourEdits(size)) };
    return Object.entries(cases).map(([what, [legacy, candidate]]) => ({
      metric: `G6 ${name} ${what}, µs`,
      ours: () => compare(legacy, candidate),
      base: () => fastJsonPatchDiff(legacy, candidate),
      baseName: "fast-json-patch",
      goal: { kind: "atMost" as const, ratio: 1 },
    }));
  });
}

function equalPairs(): Measured[] {
  return SIZES.map(([name, size]) => {
    const [legacy, candidate] = [copyOf(answerOf(size)), copyOf(answerOf(size))];
    return {
      metric: `G8 ${name} equal, µs`,
      ours: () => compare(legacy, candidate),
      base: () => fastDeepEqual(legacy, candidate),
      baseName: "fast-deep-equal",
      goal: { kind: "atMost", ratio: 1.2 },
    };
  });
}

function worstCases(): Measured[] {
  const [legacy, candidate] = [numbers(2_000, 0), numbers(2_000, 1e6)];
  const [large, small] = [fourEdits(1_000), fourEdits(100)];
  return [
    {
      metric: "G7 2,000 numbers, none in common, µs",
      ours: () => compare(legacy, candidate),
      base: () => jsonDiffPatchDiff(legacy, candidate),
      baseName: "jsondiffpatch",
      goal: { kind: "atLeast", ratio: 50 },
      inverted: true,
      // It takes the square of the length: at 10,000 numbers a round would last minutes.
      rounds: 3,
    },
    {
      metric: "G7 1 MB by 100 KB, µs",
      ours: () => compare(...large),
      base: () => compare(...small),
      baseName: "compare, 100 KB",
      goal: { kind: "atMost", ratio: 12 },
    },
  ];
}

export async function comparison(): Promise<Comparison[]> {
  checkAnswers();
  const results: Comparison[] = [];
  for (const one of [...differing(), ...equalPairs(), ...worstCases()])
    results.push(await measured(one));
  return results;
}
