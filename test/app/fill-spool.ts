/** Appends frames under a file size limit and tells what became of them; see spool.test.ts. */
import { openSpool } from "../../harness/spool.ts";
import { frameBytes } from "./frame.ts";

const [folder = "", count = "0"] = process.argv.slice(2);
const spool = openSpool({ folder, epoch: "full" });
for (let seq = 1; seq <= Number(count); seq++) {
  spool.append(frameBytes({ header: { epoch: "full", seq } }), seq);
}
process.stdout.write(
  JSON.stringify({ problem: spool.problem(), inMemory: spool.takeMemory().length }),
);
