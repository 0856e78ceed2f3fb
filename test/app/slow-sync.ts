/** Appends to a spool whose disk takes long to sync; see host.test.ts. */
import fs, { mkdtempSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

let syncs = 0;
const real = fs.fdatasync;
fs.fdatasync = Object.assign(
  (fd: number, done: fs.NoParamCallback) =>
    setTimeout(() => {
      syncs++;
      real(fd, done);
    }, 2_000),
  real,
) as unknown as typeof fs.fdatasync;
syncBuiltinESMExports();
const { openSpool } = await import("../../harness/spool.ts");
const { encodeGap } = await import("../../harness/frame.ts");

const folder = mkdtempSync(join(tmpdir(), "twintrack-slow-"));
const spool = openSpool({ folder, epoch: "slow" });
for (let seq = 1; seq <= 100; seq++) {
  spool.append(encodeGap({ epoch: "slow", fromSeq: seq, toSeq: seq, cause: "a test" }), seq);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const syncsBeforeLastAppend = syncs;
spool.close();
process.on("exit", () => {
  fs.rmSync(folder, { recursive: true, force: true });
  process.stdout.write(JSON.stringify({ frames: 100, syncsBeforeLastAppend, syncs }));
});
