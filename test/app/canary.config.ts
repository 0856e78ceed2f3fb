/** Flows through which secrets pass in every place there is: what they are given decides. */
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, type TwintrackConfig } from "../../harness/config.ts";
import { remember } from "./canary-tools.ts";

const Input = z.looseObject({
  text: z.string(),
  note: z.string(),
  output: z.record(z.string(), z.unknown()),
});
type Input = z.infer<typeof Input>;

const schemas = { version: "1", input: Input, output: z.unknown() };

async function keeps({ note, output }: Input) {
  return { ...output, kept: await remember.invoke({ note }) };
}

/** Another argument, another answer: everything differs. */
const keepsOtherwise = flow("keeps", schemas)
  .step("kept", {
    tool: "notes.remember",
    args: ({ input }) => ({ note: `${input.note} again` }),
    output: z.unknown(),
    onError: "continue",
  })
  .returns(({ input }) => ({ ...input.output, said: `Not ${input.text}` }));

const keepsSame = flow("keepsSame", schemas)
  .step("kept", {
    tool: "notes.remember",
    args: ({ input }) => ({ note: input.note }),
    output: z.unknown(),
  })
  .returns(({ input, kept }) => ({ ...input.output, kept }));

async function fails({ text }: Input): Promise<never> {
  throw new TypeError(`Refused: ${text}`);
}

const failsOtherwise = flow("fails", schemas)
  .step("fails", {
    run: ({ input }) => {
      throw new RangeError(`Not allowed: ${input.text}`);
    },
  })
  .returns(() => null);

const dies = flow("dies", schemas)
  .step("dies", {
    run: ({ input }) => {
      console.log(input.text);
      console.error(new Error(input.text));
      process.exit(7);
    },
  })
  .returns(() => null);

export default defineConfig({
  tools: { notes: { module: "./canary-tools.ts" } },
  ...(process.env.TWINTRACK_TEST_PRIVACY === "off"
    ? { privacy: { seal: false, mask: false } satisfies TwintrackConfig["privacy"] }
    : {}),
  flows: {
    keeps: {
      legacy: () => keeps,
      candidate: keepsOtherwise,
      input: schemas.input,
      stage: "shadow",
      noise: { sample: 1 },
      subject: (input) => (input as Input).note,
    },
    typed: { legacy: () => keeps, candidate: keepsSame, stage: "cutover" },
    fails: { legacy: () => fails, candidate: failsOtherwise, stage: "shadow" },
    dies: { legacy: () => async () => null, candidate: dies, stage: "shadow" },
    tapped: { legacy: "tap", candidate: keepsOtherwise, stage: "shadow" },
  },
});
