/** A carrier in a thread of its own, and how it is asked; see {@link startCarrier}. */
import { parentPort, workerData } from "node:worker_threads";
import { type CarrierPlan, type CarrierQuestion, openCarrier } from "./carrier.ts";
import { answerOn, tell } from "./port.ts";
import { yieldToAnswers } from "./priority.ts";
import { openPrivacy } from "./privacy/privacy.ts";
import { launchedHost } from "./shadow-host.ts";
import { joinDatabase } from "./store/open.ts";

const port = parentPort;
if (!port) throw new Error("carrier-thread runs only as a worker thread");

if (process.platform === "linux") yieldToAnswers();

const { way, launch, place, timeoutsMs } = workerData as CarrierPlan;
const opening = openCarrier({
  db: joinDatabase(way),
  host: launchedHost(launch, (pid) => tell(port, { pid })),
  privacy: openPrivacy(place),
  timeoutsMs,
});
opening.catch(() => undefined); // Whoever asks hears of it.

answerOn<CarrierQuestion>(port, async (question) => {
  const carrier = await opening;
  switch (question.kind) {
    case "open":
      return undefined;
    case "ship":
      return carrier.ship(question.load);
    case "judge":
    case "halt":
    case "close":
      return carrier[question.kind]();
    default:
      return question satisfies never;
  }
});
