/** The tools of the interop matrix as a server process of its own, on stdin and stdout. */
import { toolServer } from "../../adapter/in-process.ts";
import { serveMcpStdio } from "../../adapter/mcp-server.ts";
import { TOOLS } from "./tools.ts";

await serveMcpStdio(toolServer(TOOLS));
