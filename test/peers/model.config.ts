/** Flows whose two sides ask one model: the same question, or each its own. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import { flow } from "../../core/index.ts";
import { aiSdkModel, defineConfig, type FlowConfig, openaiModel } from "../../harness/config.ts";

const baseUrl = process.env.TWINTRACK_TEST_MODEL_URL ?? "";
const options = { model: "scripted-1", temperature: 0, maxTokens: 50 };

const chat = new ChatOpenAI({
  ...options,
  apiKey: "a-key",
  maxRetries: 0,
  configuration: { baseURL: baseUrl },
});

const SYSTEM = "You name the capital of a country.";

async function legacy({ country }: { country: string }) {
  const answer = await chat.invoke([
    ["system", SYSTEM],
    ["user", country],
  ]);
  return { capital: answer.content };
}

const { temperature, maxTokens } = options;
const vercel = createOpenAICompatible({ name: "local", baseURL: baseUrl, apiKey: "a-key" });

function candidate(name: string, system: string, model = "default") {
  return flow(name, {
    version: "1",
    input: z.object({ country: z.string() }),
    output: z.object({ capital: z.string() }),
  })
    .step("capital", {
      model,
      prompt: ({ input }) => [
        { role: "system", content: system },
        { role: "user", content: input.country },
      ],
      output: z.string(),
    })
    .returns(({ capital }) => ({ capital }));
}

const shadowed = (name: string, system: string, shadow: FlowConfig["shadow"] = {}) => ({
  legacy: () => legacy,
  candidate: candidate(name, system),
  stage: "shadow" as const,
  shadow,
});

export default defineConfig({
  models: {
    default: openaiModel({ ...options, baseUrl }),
    vercel: aiSdkModel(vercel(options.model), { temperature, maxTokens }),
  },
  prices: { scripted: { inputPerMillionUsd: 1_000_000, outputPerMillionUsd: 2_000_000 } },
  flows: {
    same: shadowed("same", SYSTEM),
    vercelSame: {
      ...shadowed("vercelSame", SYSTEM),
      candidate: candidate("vercelSame", SYSTEM, "vercel"),
    },
    vercelOther: {
      ...shadowed("vercelOther", SYSTEM),
      candidate: candidate("vercelOther", "Name the capital, please.", "vercel"),
    },
    other: shadowed("other", "Name the capital, please."),
    refused: shadowed("refused", "Name the capital, please.", { models: "recorded" }),
    poor: shadowed("poor", "Name the capital, please.", { modelCallsPerDay: 1 }),
  },
});
