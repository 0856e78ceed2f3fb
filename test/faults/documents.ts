/** Documents like those that agents answer with, drawn from a seed, and ways in which they differ. */
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";

export type Random = () => number;

const WORDS =
  "refund order delivered within thirty days of the item customer unused packaging original".split(
    " ",
  );
const pick = <T>(random: Random, items: readonly T[]): T =>
  items[Math.floor(random() * items.length)] as T;
const digits = (random: Random, count: number) =>
  Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join("");
const uuid = (random: Random) => [8, 4, 4, 4, 12].map((count) => digits(random, count)).join("-");
const sentence = (random: Random, words: number) =>
  Array.from({ length: words }, () => pick(random, WORDS)).join(" ");

interface Answer extends JsonObject {
  reply: string;
  total: number;
  customer: { name: string; address: { city: string; zip: string } };
  items: { sku: string; quantity: number; cents: number; flags: { gift: boolean } }[];
  sources: { slug: string; title: string }[];
  tags: string[];
  meta: JsonObject;
}

/** What a chain makes of a trigger: always the same for the same seed. */
export function answerOf(random: Random): Answer {
  const count = 2 + Math.floor(random() * 6);
  return {
    reply: sentence(random, 25),
    total: Math.round(random() * 10_000) / 100,
    customer: {
      name: pick(random, WORDS),
      address: { city: pick(random, WORDS), zip: digits(random, 5) },
    },
    items: Array.from({ length: count }, (_, n) => ({
      sku: `SKU-${n}-${digits(random, 3)}`,
      quantity: 1 + Math.floor(random() * 5),
      cents: Math.floor(random() * 9_000),
      flags: { gift: random() < 0.5 },
    })),
    sources: Array.from({ length: 3 }, (_, n) => ({
      slug: `kb-${n}-${digits(random, 4)}`,
      title: sentence(random, 4),
    })),
    tags: ["alpha", "beta", "gamma", "delta"],
    meta: { model: "m-1", version: 3, trace: null },
  };
}

export interface Seed {
  /** Trials of one seed are one divergence. */
  name: string;
  change(answer: Answer, random: Random): JsonValue;
}

const anyItem = (answer: Answer, random: Random) => pick(random, answer.items);

/** Twenty ways in which a candidate goes wrong, each at one templated place. */
export const SEEDS: readonly Seed[] = [
  { name: "another number", change: (a) => ({ ...a, total: a.total + 1 }) },
  { name: "a text", change: (a, r) => ({ ...a, reply: `${a.reply} ${sentence(r, 2)}` }) },
  { name: "a field missing", change: ({ customer: _, ...rest }) => rest },
  {
    name: "a nested field missing",
    change: (a) => ({
      ...a,
      customer: { ...a.customer, address: { city: a.customer.address.city } },
    }),
  },
  { name: "a field more", change: (a, r) => ({ ...a, note: sentence(r, 2) }) },
  { name: "a nested field more", change: (a) => ({ ...a, meta: { ...a.meta, retries: 1 } }) },
  { name: "a number as text", change: (a) => ({ ...a, total: String(a.total) }) },
  { name: "null for an object", change: (a) => ({ ...a, customer: null }) },
  { name: "a value for null", change: (a) => ({ ...a, meta: { ...a.meta, trace: "t" } }) },
  { name: "an array as object", change: (a) => ({ ...a, tags: { first: "alpha" } }) },
  {
    name: "one item's quantity",
    change: (a, r) => edit(a, r, (item) => ({ ...item, quantity: item.quantity + 1 })),
  },
  {
    name: "one item's flag",
    change: (a, r) => edit(a, r, (item) => ({ ...item, flags: { gift: !item.flags.gift } })),
  },
  {
    name: "one item's price missing",
    change: (a, r) => edit(a, r, ({ cents: _, ...item }) => item),
  },
  {
    name: "an item missing",
    change: (a, r) => {
      const gone = anyItem(a, r);
      return { ...a, items: a.items.filter((item) => item !== gone) };
    },
  },
  {
    name: "an item more",
    change: (a, r) => {
      const at = Math.floor(r() * (a.items.length + 1));
      return {
        ...a,
        items: a.items.toSpliced(at, 0, {
          sku: "NEW",
          quantity: 9,
          cents: 1,
          flags: { gift: false },
        }),
      };
    },
  },
  {
    name: "a tag at another place",
    change: (a) => ({ ...a, tags: [...a.tags.slice(1), a.tags[0] as string] }),
  },
  {
    name: "a source's title",
    change: (a, r) => {
      const at = Math.floor(r() * 3);
      return {
        ...a,
        sources: a.sources.map((source, n) => (n === at ? { ...source, title: "other" } : source)),
      };
    },
  },
  {
    name: "the city",
    change: (a) => ({
      ...a,
      customer: { ...a.customer, address: { ...a.customer.address, city: "Elsewhere" } },
    }),
  },
  { name: "a boolean for a number", change: (a) => ({ ...a, meta: { ...a.meta, version: true } }) },
  { name: "the model's name", change: (a) => ({ ...a, meta: { ...a.meta, model: "m-2" } }) },
];

type Item = Answer["items"][number];

function edit(answer: Answer, random: Random, change: (item: Item) => JsonValue): JsonValue {
  const chosen = anyItem(answer, random);
  return { ...answer, items: answer.items.map((item) => (item === chosen ? change(item) : item)) };
}

/** What differs from run to run though nothing is wrong. */
export function withNoise(answer: Answer, random: Random): JsonObject {
  const shuffled = [...answer.tags].sort(() => random() - 0.5);
  return {
    ...answer,
    runId: uuid(random),
    at: new Date(1_760_000_000_000 + Math.floor(random() * 1e9)).toISOString(),
    tookMs: 800 + Math.floor(random() * 100),
    tags: shuffled,
    items: answer.items.map((item) => ({ ...item, lineId: uuid(random) })),
    sources: answer.sources.map((source) => ({ ...source, score: 0.9 + random() / 20 })),
    greeting: random() < 0.3 ? "Hello" : "Hi",
  };
}

export function callOf(tool: string, args: JsonValue, effect: ToolCall["effect"]): ToolCall {
  return {
    ...{ tool, args, effect, occurrence: 0, startedAtMs: 0, durationMs: 1, served: "live" },
    outcome: { status: "returned", value: null },
  };
}

const DEPTH = 4;

/** Any JSON value, with awkward keys, mostly small, `depth` levels at most; at the root mostly no scalar. */
export function anyJson(random: Random, depth = DEPTH): JsonValue {
  const first = depth === DEPTH && random() < 0.9 ? 6 : 0;
  const kind = first + Math.floor(random() * ((depth > 0 ? 9 : 6) - first));
  if (kind < 6) return pick(random, SCALARS);
  const size = Math.floor(random() * 5);
  if (kind === 6) return Array.from({ length: size }, () => anyJson(random, depth - 1));
  const fields = Array.from({ length: size }, () => [
    pick(random, KEYS),
    anyJson(random, depth - 1),
  ]);
  return JSON.parse(
    `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`,
  ) as JsonValue;
}

const SCALARS: readonly JsonValue[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  2 ** 53,
  "",
  "a",
  "b",
  "1",
  "null",
  "é",
  "\u0000",
  "\ud800",
  "😀",
  "line\nline",
];
const KEYS = [
  "a",
  "b",
  "c",
  "id",
  "__proto__",
  "constructor",
  "toString",
  "prototype",
  "/",
  "~",
  "",
  "0",
  "1",
];

/** A copy with a few changes: two values drawn apart have too little in common to align. */
export function changed(value: JsonValue, random: Random): JsonValue {
  if (random() < 0.1) return anyJson(random, 2);
  if (Array.isArray(value)) {
    const copy = value.map((item) => changed(item, random));
    const roll = random();
    if (roll < 0.2) copy.splice(Math.floor(random() * (copy.length + 1)), 0, anyJson(random, 1));
    else if (roll < 0.4) copy.splice(Math.floor(random() * copy.length), 1);
    else if (roll < 0.5) copy.reverse();
    return copy;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(() => random() > 0.1)
    .map(([key, child]) => `${JSON.stringify(key)}:${JSON.stringify(changed(child, random))}`);
  return JSON.parse(`{${entries.join(",")}}`) as JsonValue;
}
