/** What the configuration says of privacy: what is sealed, what is masked, and how long it is kept. */
import { z } from "zod";
import { parsePattern } from "../compare/pattern.ts";
import { DETECTOR_KINDS, type DetectorKind } from "./detector.ts";

export interface PrivacyConfig {
  /** Encrypt payloads where they rest (spool, ledger, database). Default true. */
  seal?: boolean;
  /** What is masked where it can be read; `false` masks nothing. */
  mask?:
    | false
    | {
        /** Names of fields whose values are secrets, beside the built-in ones. */
        keys?: readonly string[];
        /** Detectors to switch off, for example `{ phone: false }`; `false` switches all off. */
        detectors?: false | Partial<Record<DetectorKind, boolean>>;
        /** Path patterns of values that are shown as they are, for example `/order/email`. */
        allow?: readonly string[];
      };
  /** Trials older than this are deleted, and counted. Default: kept. */
  retentionDays?: number;
  /** Payloads older than this are dropped; verdicts and masked differences stay. Default: kept. */
  rawDays?: number;
}

const days = z.number().positive().max(36_500).optional();

const detectors = z.partialRecord(z.enum(DETECTOR_KINDS), z.boolean());

export const privacyShape = z.strictObject({
  seal: z.boolean().optional(),
  mask: z
    .union([
      z.strictObject({
        keys: z.array(z.string().min(1)).optional(),
        detectors: z.union([z.literal(false), detectors]).optional(),
        allow: z
          .array(
            z.string().refine((path) => parsePattern(path), "must be a pattern like /order/email"),
          )
          .optional(),
      }),
      z.literal(false),
    ])
    .optional(),
  retentionDays: days,
  rawDays: days,
});
