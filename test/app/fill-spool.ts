/** Appends frames under a file size limit and tells what became of them; see spool.test.ts. */
import { encodeFrame } from "../../harness/frame.ts";
import { openSpool } from "../../harness/spool.ts";
import { PRIVACY } from "./privacy.ts";

const [folder = "", count = "0"] = process.argv.slice(2);
const spool = openSpool({ folder, epoch: "full" });
for (let seq = 1; seq <= Number(count); seq++) {
  const frame = encodeFrame(
    {
      epoch: "full",
      seq,
      flow: "add",
      triggerId: `t${seq}`,
      source: "library",
      receivedAt: "2026-01-01T00:00:00.000Z",
      stage: "shadow",
      authoritative: "legacy",
      noiseWanted: false,
      status: "returned",
      durationMs: 1,
    },
    { input: null, outcome: { status: "returned", value: null }, lossy: false, calls: [] },
    PRIVACY.vault,
  );
  spool.append(frame, seq);
}
process.stdout.write(
  JSON.stringify({ problem: spool.problem(), inMemory: spool.takeMemory().length }),
);
