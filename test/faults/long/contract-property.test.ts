/** The published schema and the tool's own parser about five thousand arguments for each zod. */
import { expect, test } from "vitest";
import {
  expectNothingPublishedIsRefused,
  expectNothingTakenIsViolated,
  judgeSamples,
} from "../../adapter/zod-agreement.ts";
import { ZODS } from "../../adapter/zod-cases.ts";

test.each(ZODS)("%s: both say the same of five thousand arguments", async (_, z) => {
  const samples = await judgeSamples(z, 5_000);
  expectNothingPublishedIsRefused(samples);
  expectNothingTakenIsViolated(samples);
  expect(samples).toHaveLength(5_000);
});
