/** The report for people and programs, and the door for commands. */
import type { FastifyInstance } from "fastify";
import { TwintrackError } from "../../core/error.ts";
import { isJsonObject } from "../../core/json.ts";
import { may } from "../access/role.ts";
import { COMMAND_ROLES, reportOf, STORE_COMMANDS } from "../cli/commands.ts";
import { renderHtml } from "../report/html.ts";
import type { Harness } from "../twintrack.ts";
import { commanderOf, type Door, forbidden } from "./access.ts";

export function addReportRoutes(app: FastifyInstance, harness: Harness, door: Door): void {
  const report = async () => reportOf({ db: await harness.database(), config: harness.config });
  app.get("/api/report", report);
  app.get("/", async (_request, reply) =>
    reply.type("text/html; charset=utf-8").send(renderHtml(await report())),
  );
  app.post("/api/commands", async (request) => {
    // First of all: who may not command is not told what there is.
    const commander = commanderOf(request, door);
    const { command, args } = isJsonObject(request.body) ? request.body : {};
    const isKnown = typeof command === "string" && Object.hasOwn(STORE_COMMANDS, command);
    const execute = isKnown ? STORE_COMMANDS[command] : undefined;
    if (!execute || !isJsonObject(args))
      throw new TwintrackError("REQUEST_INVALID", `There is no command ${String(command)}`);
    const needed = COMMAND_ROLES[String(command)] ?? "admin";
    if (!may(commander.role, needed)) throw forbidden(commander.role, needed);
    const db = await harness.database();
    const who = commander.who === undefined ? {} : { who: commander.who };
    const desk = { config: harness.config, db, sides: harness.sides };
    const reply = await execute(desk, { ...args, ...who });
    await Promise.all([harness.stages.refresh(db), harness.keys.refresh(db)]);
    return reply;
  });
}
