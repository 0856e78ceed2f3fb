/** A trial as the shadow process gets it: in the shadow, answered by legacy, unless told otherwise. */
import type { JsonValue } from "../../core/json.ts";
import type { ResolvedConfig } from "../../harness/config.ts";
import { privacyOf, runPlace } from "../../harness/privacy/privacy.ts";
import type { OpenTrial } from "../../harness/store/trials.ts";

type Told = Pick<OpenTrial, "id" | "flow"> &
  Partial<OpenTrial> & {
    input: JsonValue;
    /** What the authoritative side returned. */
    value: JsonValue;
  };

export function openTrial(config: ResolvedConfig, { input, value, ...told }: Told): OpenTrial {
  const { id, authoritative = "legacy" } = told;
  const outcome = { status: "returned", value };
  const payload = Buffer.from(JSON.stringify({ input, outcome, lossy: false, calls: [] }));
  return {
    ...{ triggerId: id, stage: "shadow", source: "library", noiseWanted: false },
    receivedAt: new Date(0).toISOString(),
    authoritative,
    payload: privacyOf(config).vault.seal(payload, runPlace(id, authoritative)),
    ...told,
  };
}
