/**
 * The system's Chromium, for tests that look at pages.
 *
 * Whether a machine has a browser that starts is found out by starting it: an installed one may
 * still be unable to run in a container. Where it does not, the tests are skipped and say why.
 */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

export type Started = { browser: Browser } | { missing: string };

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/** From a cold disk on a busy machine a browser takes tens of seconds. */
const START_TIMEOUT_MS = 60_000;
const TRIES = 2;

export async function startBrowser(): Promise<Started> {
  const executablePath = [process.env.CHROMIUM, ...PLACES].find((path) => path && existsSync(path));
  if (!executablePath) return { missing: "no Chromium found; set CHROMIUM to its path" };
  let reason = "";
  for (let attempt = 0; attempt < TRIES; attempt++) {
    try {
      return { browser: await launch(executablePath) };
    } catch (error) {
      reason = String(error).split("\n")[0] ?? "";
    }
  }
  return { missing: `${executablePath} does not start: ${reason}` };
}

async function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    timeout: START_TIMEOUT_MS,
    // A container has neither user namespaces nor a large /dev/shm.
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
}
