/** The published schema and the tool's own parser say the same of any arguments; at length in test/faults. */
import { beforeAll, describe, test } from "vitest";
import {
  expectNothingPublishedIsRefused,
  expectNothingTakenIsViolated,
  type Judged,
  judgeSamples,
} from "./zod-agreement.ts";
import { ZODS } from "./zod-cases.ts";

describe.each(ZODS)("%s:", (_, z) => {
  let samples: readonly Judged[];
  beforeAll(async () => {
    samples = await judgeSamples(z, 400);
  });

  test("arguments that the published schema accepts are accepted by the tool", () => {
    expectNothingPublishedIsRefused(samples);
  });

  test("arguments that the tool accepts are accepted by the published schema", () => {
    expectNothingTakenIsViolated(samples);
  });
});
