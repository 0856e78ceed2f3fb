/** Typed flows that behave well, and one for each way a candidate can misbehave. */
import { openSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { type Flow, flow } from "../../core/flow.ts";

const schemas = { version: "1", input: z.object({ n: z.number() }), output: z.unknown() };

export const add = flow("add", schemas)
  .step("sum", { run: ({ input }) => input.n + 1 })
  .returns(({ sum }) => ({ sum }));

const priced = flow("pay", schemas).step("price", {
  tool: "shop.quote",
  args: ({ input }) => ({ n: input.n }),
  output: z.object({ cents: z.number() }),
});

export const pay = priced
  .step("paid", {
    needs: ["price"],
    tool: "shop.charge",
    args: ({ price }) => ({ cents: price.cents, currency: "EUR" }),
    output: z.object({ receipt: z.string() }),
  })
  .returns(({ paid }) => ({ receipt: paid.receipt }));

export const paysTwice = priced
  .step("paid", {
    needs: ["price"],
    tool: "shop.charge",
    args: ({ price }) => ({ cents: price.cents }),
    output: z.object({ receipt: z.string() }),
  })
  .step("again", {
    needs: ["price", "paid"],
    tool: "shop.charge",
    args: ({ price }) => ({ cents: price.cents }),
    output: z.unknown(),
    onError: "continue",
  })
  .returns(({ paid }) => ({ receipt: paid.receipt }));

const misbehaviours = {
  throws: () => {
    throw new RangeError("no");
  },
  throwsLater: () => {
    setTimeout(() => {
      throw new Error("from a timer");
    });
    return { sum: 2 };
  },
  rejectsUnheard: () => {
    void Promise.reject(new Error("nobody listens"));
    return { sum: 2 };
  },
  hangs: () => new Promise<never>(() => undefined),
  loops: () => {
    // So that a test can tell that the loop has begun.
    if (process.env.TWINTRACK_MARK) writeFileSync(process.env.TWINTRACK_MARK, "looping");
    for (;;);
  },
  exits: () => process.exit(7),
  leaks: () => {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 1_000_000 }, (_, index) => index));
  },
  floods: () => {
    for (let line = 0; line < 200_000; line++) console.log("x".repeat(100));
    return { sum: 2 };
  },
  returnsCycle: () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    return cycle;
  },
  takesLong: async () => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { sum: 2 };
  },
  patches: () => {
    Array.prototype.map = () => [];
    return { sum: 2 };
  },
  pollutes: () => {
    Object.assign(Object.prototype, { admin: true });
    return { sum: 2 };
  },
  moves: () => {
    process.chdir("/");
    return { sum: 2 };
  },
  opensFiles: () => {
    const opened: number[] = [];
    while (opened.length < 10_000) opened.push(openSync("/dev/null", "r"));
    return { sum: 2 };
  },
  returnsMuch: () => ({ sum: 2, text: "x".repeat(100 * 1024 * 1024) }),
  throwingGetter: () => ({
    sum: 2,
    get secret() {
      throw new Error("not for you");
    },
  }),
  throwingToJSON: () => ({
    toJSON() {
      throw new Error("no form");
    },
  }),
  trapped: () =>
    new Proxy(
      { sum: 2 },
      {
        ownKeys() {
          throw new Error("nothing to see");
        },
      },
    ),
  startsAnother: async () => {
    const { createTwintrack } = await import("../../harness/index.ts");
    createTwintrack({ flows: {} });
    return { sum: 2 };
  },
  sometimesThrows: (input: { n: number }) => {
    if (input.n % 5 < 3) throw new RangeError("flaps");
    return { sum: input.n + 1 };
  },
  mutatesInput: (input: { n: number }) => {
    input.n = 99;
    return { sum: 2 };
  },
} satisfies Record<string, (input: { n: number }) => unknown>;

export type Misbehaviour = keyof typeof misbehaviours;
export const MISBEHAVIOURS = Object.keys(misbehaviours) as Misbehaviour[];

export function misbehaving(name: Misbehaviour): Flow {
  return flow(name, schemas)
    .step("does", { run: ({ input }) => misbehaviours[name](input) })
    .returns(({ does }) => does) as Flow;
}
