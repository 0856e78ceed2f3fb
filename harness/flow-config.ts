/** What the configuration says of one flow: its two sides, and how they are compared and judged. */
import { z } from "zod";
import type { Flow } from "../core/flow.ts";
import type { JsonValue } from "../core/json.ts";
import type { RunConfig } from "../core/run-config.ts";
import type { Schema } from "../core/schema.ts";
import type { Stage } from "../core/trigger.ts";
import { type GateConfig, gateShape } from "./automation.ts";
import type { Engine } from "./compare/judge.ts";
import { type LadderStep, ladderShape } from "./ladder.ts";
import type { Snapshot } from "./snapshot.ts";
import { anyFunction, anyObject, type LegacySource } from "./source.ts";

/**
 * The part of an output that counts. `agent`: the last message's text, `output`, or the structured
 * response of a LangChain agent; one that gives up after too many steps throws `IterationLimit`.
 */
export type Extractor = "agent" | ((output: JsonValue) => JsonValue);

export interface FlowConfig {
  legacy?: LegacySource;
  /**
   * Names of the tool sources that legacy uses. Needed only where several in its language have a tool
   * of the same name: which of them was called is not to be seen.
   */
  tools?: readonly string[];
  candidate?: Flow | (() => Promise<Flow>);
  /** Checked before any side runs. Without it only a candidate that answers has its inputs checked, by its own schema. */
  input?: Schema;
  /** Stage of a flow that the store does not know yet. Default `legacy`. */
  stage?: Stage;
  /** Limit of the answer. Default 60,000. */
  timeoutMs?: number;
  /** Makes the two sides' outputs comparable. */
  extract?: {
    legacy?: Extractor;
    candidate?: Extractor;
  };
  shadow?: {
    /** Share of triggers that are compared, in [0, 1]. Default 1. */
    sample?: number;
    /** Limit of the compared side. Default 30,000. */
    timeoutMs?: number;
    /** Trials that may wait to be judged; the newest beyond it are counted, not compared. Default 10,000. */
    maxOpen?: number;
    /**
     * A read, of a tool or of memory, that the other side did not make: refused (`recorded`, the
     * default) or run (`live`). With `snapshot` this function answers those of tools, of a chain in
     * Python, too; it runs in the shadow process and under its guard.
     */
    reads?: "recorded" | "live" | { snapshot: Snapshot };
    /**
     * Models of a chain that runs a second time: asked again (`live`, the default, which is what noise
     * measures), or answered from the first run's record and refused otherwise (`recorded`).
     */
    models?: "recorded" | "live";
    /**
     * Questions that go to a model because the other side did not ask them, or because legacy runs a
     * second time for noise. Default 1,000.
     */
    modelCallsPerDay?: number;
  };
  noise?: {
    /** Share of compared triggers on which legacy runs a second time, in [0, 1]. Default 0. */
    sample?: number;
    /**
     * Models of the second run: asked again, which measures their mood as well (`live`, the default;
     * out of `shadow.modelCallsPerDay`), or answered as in the first run (`shared`).
     */
    models?: "live" | "shared";
  };
  compare?: {
    rules?: readonly unknown[];
    /** What compares the answers. `deep-diff` compares arrays by place. Default `twintrack`. */
    engine?: Engine;
  };
  gate?: GateConfig;
  /** The shares of triggers that the candidate gets one after the other, and how long each is held. */
  ladder?: readonly LadderStep[];
  /** Triggers with equal keys get the same side in a canary. Default: the trigger id. */
  canaryKey?: (input: JsonValue, config: RunConfig) => string;
  /** Whom a trigger is about, for `export --subject` and `purge`; kept as a digest only. */
  subject?: (input: JsonValue, config: RunConfig) => string | undefined;
}

/** Limit of a compared side whose flow sets none. */
export const DEFAULT_SHADOW_TIMEOUT_MS = 30_000;

const share = z.number().min(0).max(1).optional();
const extractor = z.custom<Extractor>(
  (value) => value === "agent" || typeof value === "function",
  'must be "agent", or a function: (output) => …',
);

const readsName = z.enum(["recorded", "live"], {
  error: 'must be "recorded", "live", or { snapshot: (tool, args, at) => … }',
});

export const flowShape = z.strictObject({
  legacy: z.union([z.literal("tap"), anyFunction, anyObject]).optional(),
  tools: z.array(z.string()).optional(),
  candidate: z.union([anyFunction, anyObject]).optional(),
  input: anyObject.optional(),
  stage: z.enum(["legacy", "shadow", "canary", "cutover", "retired"]).optional(),
  timeoutMs: z.number().positive().optional(),
  extract: z
    .strictObject({ legacy: extractor.optional(), candidate: extractor.optional() })
    .optional(),
  shadow: z
    .strictObject({
      sample: share,
      timeoutMs: z.number().positive().optional(),
      maxOpen: z.int().positive().optional(),
      reads: z.union([readsName, z.strictObject({ snapshot: anyFunction })]).optional(),
      models: z.enum(["recorded", "live"]).optional(),
      modelCallsPerDay: z.int().nonnegative().optional(),
    })
    .optional(),
  noise: z
    .strictObject({ sample: share, models: z.enum(["live", "shared"]).optional() })
    .optional(),
  compare: z
    .strictObject({
      rules: z.array(z.unknown()).optional(),
      engine: z.enum(["twintrack", "deep-diff"]).optional(),
    })
    .optional(),
  gate: gateShape.optional(),
  ladder: ladderShape.optional(),
  canaryKey: anyFunction.optional(),
  subject: anyFunction.optional(),
});
