/** The report for people and programs, and the door for commands from the same machine. */
import type { FastifyInstance } from "fastify";
import { TwintrackError } from "../../core/error.ts";
import { isJsonObject } from "../../core/json.ts";
import { reportOf, STORE_COMMANDS } from "../cli/commands.ts";
import { renderHtml } from "../report/html.ts";
import type { Harness } from "../twintrack.ts";
import { isBearer } from "./key.ts";

export function addReportRoutes(app: FastifyInstance, harness: Harness, secret: string): void {
  const report = async () => reportOf({ db: await harness.database(), config: harness.config });
  app.get("/api/report", report);
  app.get("/", async (_request, reply) =>
    reply.type("text/html; charset=utf-8").send(renderHtml(await report())),
  );
  app.post("/api/commands", async (request) => {
    if (!isBearer(request.headers.authorization, secret)) {
      throw new TwintrackError(
        "STAGE_REFUSED",
        "Commands need the secret in server-<pid>.json of the data folder",
      );
    }
    const { command, args } = isJsonObject(request.body) ? request.body : {};
    const isKnown = typeof command === "string" && Object.hasOwn(STORE_COMMANDS, command);
    const execute = isKnown ? STORE_COMMANDS[command] : undefined;
    if (!execute || !isJsonObject(args))
      throw new TwintrackError("REQUEST_INVALID", `There is no command ${String(command)}`);
    const db = await harness.database();
    const reply = await execute({ config: harness.config, db, sides: harness.sides }, args);
    await harness.stages.refresh(db);
    return reply;
  });
}
