/** A flow whose legacy leaves something in its Python process; see `python-bridge/tests/leavings.py`. */
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, python } from "../../harness/config.ts";

const cwd = new URL("../../python-bridge/tests", import.meta.url).pathname;
const { TWINTRACK_MARK = "" } = process.env;

export default defineConfig({
  flows: {
    inPython: {
      legacy: python("leavings:beside", { cwd, env: { TWINTRACK_MARK } }),
      candidate: flow("inPython", { version: "1", input: z.string(), output: z.string() }).returns(
        ({ input }) => (input === "leaves" ? "done" : "nothing"),
      ),
      stage: "cutover",
    },
  },
});
