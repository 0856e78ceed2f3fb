/** Typed flows that behave well, and one for each way a candidate can misbehave. */
import { existsSync, openSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

const hoard: number[][] = [];

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
  /** 32 MB more each time, of the 512 that its process may have. */
  hoards: () => {
    for (let n = 0; n < 4; n++) hoard.push(Array.from({ length: 1_000_000 }, (_, index) => index));
    return { sum: 2 };
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
  patchesLater: () => {
    setImmediate(() => {
      Array.prototype.map = () => [];
    });
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

/** What a run can leave to the next one; the input says which. */
const LEAVINGS: readonly (() => unknown)[] = [
  () => {
    process.env.TWINTRACK_LEFT = "something";
  },
  () => delete process.env.TWINTRACK_SINK,
  () => {
    process.env.TZ = "Asia/Tokyo";
  },
  () => {
    writeFileSync(join(tmpdir(), `twintrack-left-${process.pid}`), "TWINTRACK_LEFT=from a file");
    process.loadEnvFile(join(tmpdir(), `twintrack-left-${process.pid}`));
  },
  () => process.umask(0o077),
  () => {
    process.title = "somebody else";
  },
];
export const LEFT = LEAVINGS.map((_, n) => n);

/** What all of them would change. */
function surroundings(): string {
  const { TWINTRACK_LEFT, TWINTRACK_SINK } = process.env;
  const at = new Date(0).getHours();
  return JSON.stringify([TWINTRACK_LEFT, TWINTRACK_SINK, at, process.umask(), process.title]);
}
const untouched = surroundings();

/** Changes its surroundings, surely. */
export const leaves = flow("leaves", schemas)
  .step("does", {
    run: ({ input }) => {
      LEAVINGS[input.n]?.();
      if (surroundings() === untouched) throw new Error("nothing was left");
    },
  })
  .returns(({ input }) => ({ sum: input.n + 1 }));

/** Answers otherwise where it finds what another left. */
export const finds = flow("finds", schemas).returns(({ input }) =>
  surroundings() === untouched ? { sum: input.n + 1 } : { found: surroundings() },
);

const marked = (name: string) => `${process.env.TWINTRACK_MARK}-${name}`;
const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
};

/** Two that meet once: the first leaves something while the second looks. */
export const leavesBeside = flow("leavesBeside", schemas)
  .step("does", {
    run: async () => {
      await until(() => existsSync(marked("there")));
      process.env.TWINTRACK_LEFT = "something";
      await until(() => existsSync(marked("found")));
    },
  })
  .returns(({ input }) => ({ sum: input.n + 1 }));

export const findsBeside = flow("findsBeside", schemas)
  .step("found", {
    run: async () => {
      if (existsSync(marked("there"))) return process.env.TWINTRACK_LEFT !== undefined;
      writeFileSync(marked("there"), "");
      await until(() => process.env.TWINTRACK_LEFT !== undefined);
      writeFileSync(marked("found"), "");
      return true;
    },
  })
  .returns(({ input, found }) => (found ? { found } : { sum: input.n + 1 }));

export type Misbehaviour = keyof typeof misbehaviours;
export const MISBEHAVIOURS = Object.keys(misbehaviours) as Misbehaviour[];

export function misbehaving(name: Misbehaviour): Flow {
  return flow(name, schemas)
    .step("does", { run: ({ input }) => misbehaviours[name](input) })
    .returns(({ does }) => does) as Flow;
}
