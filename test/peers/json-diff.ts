/** Comparisons of JSON that others wrote, to measure ours against. */
export { default as fastDeepEqual } from "fast-deep-equal";

import fastJsonPatch from "fast-json-patch";
import { create } from "jsondiffpatch";

/** Edits from one value to the other; arrays by place. */
export function fastJsonPatchDiff(left: object, right: object): number {
  return fastJsonPatch.compare(left, right).length;
}

const patcher = create();

/** By longest common subsequence, with the library's own defaults. */
export function jsonDiffPatchDiff(left: unknown, right: unknown): unknown {
  return patcher.diff(left, right);
}
