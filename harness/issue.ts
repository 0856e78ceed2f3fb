/** What is wrong with a configuration, as its author would say it. */
import type { z } from "zod";

type Issue = z.core.$ZodIssue;

/** Of a choice of forms, what is wrong with the one that comes nearest: "invalid input" helps nobody. */
export function nearestIssue(issues: readonly Issue[]): Issue | undefined {
  // A key that is not known may be why another is missing.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (issue?.code !== "invalid_union" || issue.errors.length === 0) return issue;
  const forms = issue.errors.filter((form) => form.length > 0);
  const nearest = forms.sort((a, b) => strangeness(a) - strangeness(b))[0] ?? [];
  const inner = nearestIssue(nearest);
  return inner && { ...inner, path: [...issue.path, ...inner.path] };
}

/** A field that is missing, or that the form does not know, says that another form was meant. */
function strangeness(issues: readonly Issue[]): number {
  const strange = issues.filter(
    ({ code, path }) =>
      code === "unrecognized_keys" ||
      (code === "invalid_type" && path.length <= 1) ||
      (code === "invalid_value" && path.length === 0),
  );
  return strange.length * 10 + issues.length;
}

/** Of a record whose keys are one of a few. */
function namesIn(schema: z.core.$ZodType): string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return def.type === "enum" ? Object.values(def.entries).map(String) : [];
}

/** The keys that a schema knows at a place, to find the one that was meant. */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const [name, ...rest] = path;
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "optional":
      return keysAt(def.innerType, path);
    case "union":
      return def.options.flatMap((option) => keysAt(option, path));
    case "record":
      return name === undefined ? namesIn(def.keyType) : keysAt(def.valueType, rest);
    case "array":
      return keysAt(def.element, rest);
    case "object": {
      if (name === undefined) return Object.keys(def.shape);
      const inner = def.shape[String(name)];
      return inner ? keysAt(inner, rest) : [];
    }
    default:
      return [];
  }
}
