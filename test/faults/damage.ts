/** Valid requests to the bridge, and the many ways in which bytes on a pipe can be wrong. */
import { pick } from "../../fixtures/seeded.ts";

type Random = () => number;

const META = {
  progressToken: "p",
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "twintrack/inject": { user: "ada" },
  traceparent: "00-11111111111111111111111111111111-2222222222222222-01",
};

const CALLS: [string, object][] = [
  ["add", { a: 1 }],
  ["slowly", { text: "é\u2028" }],
  ["tree", { node: { theName: "a", children: [{ theName: "b" }] }, tags: { t: [1] } }],
  ["count", { upto: 3 }],
  ["count_slowly", { upto: 3 }],
  ["whose", { x: 1 }],
  ["legacy", { tool_input: "text" }],
  ["unchecked", { x: 1 }],
];

/** What takes the place of a value somewhere in a message. */
const ODD = [
  "null",
  "true",
  "-1",
  "1e999",
  "0.1",
  "9".repeat(400),
  '""',
  '"\\ud800"',
  '"\\u0000"',
  "[]",
  "{}",
  '{"type":"tool_call","args":{}}',
  `${"[".repeat(300)}${"]".repeat(300)}`,
  `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  "NaN",
  '"x"'.padEnd(9_000, " "),
] as const satisfies readonly [string, ...string[]];

function requestFor(random: Random, id: number): Buffer {
  const method = pick(random, [
    "tools/call",
    "tools/call",
    "tools/call",
    "tools/list",
    "ping",
    "initialize",
    "server/discover",
    "notifications/cancelled",
    "twintrack/chain/invoke",
  ]);
  const [name, args] = pick(random, CALLS as [[string, object], ...[string, object][]]);
  const _meta = random() < 0.5 ? META : {};
  const params =
    method === "notifications/cancelled"
      ? { requestId: id - 1, _meta: { "twintrack/confirm": true } }
      : { name, arguments: args, protocolVersion: "2025-11-25", input: 1, _meta };
  const message = { jsonrpc: "2.0", ...(method.startsWith("not") ? {} : { id }), method, params };
  return Buffer.from(JSON.stringify(message));
}

type Mutation = (frame: Buffer, random: Random) => Buffer;

const at = (frame: Buffer, random: Random) => Math.floor(random() * (frame.length + 1));

const MUTATIONS: [Mutation, ...Mutation[]] = [
  (frame) => frame,
  (frame, random) => frame.subarray(0, at(frame, random)),
  (frame, random) => frame.subarray(at(frame, random)),
  (frame, random) => {
    const damaged = Buffer.from(frame);
    for (let n = 0; n < 1 + random() * 4; n++) {
      damaged[Math.floor(random() * frame.length)] = random() * 256;
    }
    return damaged;
  },
  (frame, random) => {
    const where = at(frame, random);
    const noise = Buffer.from(Array.from({ length: 1 + random() * 8 }, () => random() * 256));
    return Buffer.concat([frame.subarray(0, where), noise, frame.subarray(where)]);
  },
  (frame, random) => {
    const [one, other] = [at(frame, random), at(frame, random)].sort((a, b) => a - b);
    return Buffer.concat([frame.subarray(0, other), frame.subarray(one)]);
  },
  (frame, random) => {
    const values = [...frame.toString().matchAll(/(?<=:)("[^"]*"|\d+|\{\}|\[\])/g)];
    const chosen = values[Math.floor(random() * values.length)];
    if (!chosen) return frame;
    const text = frame.toString();
    const end = chosen.index + chosen[0].length;
    return Buffer.from(text.slice(0, chosen.index) + pick(random, ODD) + text.slice(end));
  },
  (frame) => Buffer.concat([Buffer.from("\ufeff"), frame, Buffer.from("\r")]),
  (frame, random) => Buffer.concat([frame, Buffer.from(random() < 0.5 ? "\n\n" : "\0"), frame]),
  (frame) => Buffer.from(`[${frame.toString()}]`),
];

/** One line on the pipe; `id` is that of the request it was made from. */
export function damagedFrame(random: Random, id: number): Buffer {
  let frame = requestFor(random, id);
  for (let n = 0; n < random() * 3; n++) frame = pick(random, MUTATIONS)(frame, random);
  return Buffer.concat([frame, Buffer.from("\n")]);
}
