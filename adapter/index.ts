// Tools

// Chains
export { chain } from "./capture.ts";
export { type Catalog, type CatalogEntry, type CatalogSource, catalog } from "./catalog.ts";
// MCP
export { catalogServer } from "./catalog-server.ts";
export type { ChainOptions, ChainRun, ChainTools, LegacyChain } from "./chain.ts";
export { canonicalArgs, contractOf, validateArgs, validateResult } from "./contract.ts";
export { type ContractModes, type Violation, withContract } from "./enforcement.ts";
export { httpChain } from "./http-chain.ts";
export { type InProcessOptions, type InProcessServer, toolServer } from "./in-process.ts";
export {
  type McpHttpOptions,
  type McpHttpServer,
  type McpOptions,
  mcpHttpHandler,
  serveMcp,
  serveMcpHttp,
  serveMcpStdio,
} from "./mcp-server.ts";
// Python
export { pythonTools } from "./python.ts";
export { pythonChain } from "./python-chain.ts";
export { claimStdout } from "./stdout.ts";

export type { Contract, Language, ToolServer, UnsupportedTool } from "./tool-server.ts";
