/** Kill loops around the Python process. */
import { spawn } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { textOf } from "../../core/tool.ts";
import {
  exists,
  freshFile,
  gone,
  here,
  interpreter,
  isRunning,
  rejection,
  root,
  stubborn,
} from "../adapter/python-process.ts";

/** Kills the process `times` times while a call runs in it; the call writes a line when it starts. */
export async function killInMidCall(times: number): Promise<{ lost: string[]; executed: number }> {
  const server = stubborn();
  const lost: string[] = [];
  const log = freshFile();
  for (let kill = 0; kill < times; kill += 1) {
    const started = freshFile();
    const call = rejection(server.callTool("hang", { started }));
    await exists(started);
    const pid = Number(readFileSync(started, "utf8"));
    appendFileSync(log, `${pid}\n`);
    process.kill(pid, "SIGKILL");
    lost.push((await call).code);
    if (textOf(await server.callTool("echo", { text: "back" })) !== "back") lost.push("not back");
  }
  const pids = readFileSync(log, "utf8").trim().split("\n");
  return { lost, executed: new Set(pids).size };
}

/** Processes that still run after the parent that started them was killed in mid call. */
export async function orphansOfKilledParents(times: number): Promise<number[]> {
  const pids: number[] = [];
  for (let kill = 0; kill < times; kill += 1) {
    const started = freshFile();
    const script = `
      import { pythonTools } from ${JSON.stringify(join(root, "adapter/python.ts"))};
      const options = ${JSON.stringify({ target: "stubborn:TOOLS", interpreter, cwd: here })};
      await pythonTools(options).callTool("hang", { started: ${JSON.stringify(started)} });`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: "ignore",
    });
    await exists(started);
    const pid = Number(readFileSync(started, "utf8"));
    pids.push(pid);
    parent.kill("SIGKILL");
    await gone(pid);
  }
  return pids.filter(isRunning);
}
