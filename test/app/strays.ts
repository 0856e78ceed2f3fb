/** Code that reaches the world past its tools, in every way that Node knows. */
import childProcess, { execFileSync, spawn } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import { appendFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { get } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

/** Not in the temporary folder, which is open to all. */
export const OUTSIDE = fileURLToPath(new URL("written-by-a-shadow", import.meta.url));

const port = () => Number(process.env.STRAY_PORT);

export const STRAYS = {
  fetch: () => fetch(`http://127.0.0.1:${port()}/`).then((response) => response.text()),
  http: () => once(get(`http://127.0.0.1:${port()}/`), "response"),
  socket: () => once(connect(port(), "127.0.0.1"), "connect"),
  datagram: () =>
    new Promise((resolve) => dgram.createSocket("udp4").send("x", port(), "127.0.0.1", resolve)),
  spawn: () => once(spawn("true"), "close"),
  exec: () => execFileSync("true"),
  unbound: () => childProcess.spawnSync("true"),
  thread: () => once(new Worker("", { eval: true }), "exit"),
  signal: () => process.kill(process.ppid, 0),
  file: () => writeFileSync(OUTSIDE, "x"),
  append: () => appendFileSync(OUTSIDE, "x"),
  folder: () => mkdir(OUTSIDE),
} satisfies Record<string, () => unknown>;

export type Stray = keyof typeof STRAYS;
