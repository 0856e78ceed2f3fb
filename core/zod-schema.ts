/**
 * A zod schema of any version → JSON Schema. Zod 3, and zod 4 before 4.2, do not convert themselves;
 * which copy of zod made a schema does not matter.
 */
import { core } from "zod";
import { zodToJsonSchema } from "zod-to-json-schema";

export type View = "input" | "output";

interface ZodPlace {
  zodSchema: { _zod: { def: { type: string } } };
  jsonSchema: object;
}

/** What zod has no JSON Schema for may be anything there, and hides nothing else; a `BigInt` is an integer. */
export const ZOD4_OPTIONS = {
  unrepresentable: "any",
  override({ zodSchema, jsonSchema }: ZodPlace) {
    const integer = zodSchema._zod.def.type === "bigint" ? { type: "integer" } : {};
    Object.assign(jsonSchema, describedIn(zodSchema), integer);
  },
} as const;

/** Before 4.1 descriptions lie in the copy of zod that made the schema, where only the schema finds them. */
export function describedIn(schema: object): { description?: string } {
  const { meta } = schema as { meta?: () => { description?: string } | undefined };
  const description = typeof meta === "function" ? meta.call(schema)?.description : undefined;
  return description === undefined ? {} : { description };
}

export function fromZod4(schema: unknown): unknown {
  const options = { io: "input", target: "draft-2020-12", ...ZOD4_OPTIONS } as const;
  return core.toJSONSchema(schema as core.$ZodType, options);
}

export function fromZod3(schema: unknown, view: View): unknown {
  return zodToJsonSchema(schema as Parameters<typeof zodToJsonSchema>[0], {
    pipeStrategy: view,
    effectStrategy: view === "input" ? "input" : "any",
    emailStrategy: "pattern:zod",
    // "strict": only `.strict()` forbids unknown keys; a plain object drops them and says so.
    removeAdditionalStrategy: "strict",
  });
}
