import { tool } from "@langchain/core/tools";
import { expect, test } from "vitest";
import { z } from "zod";
import { catalog } from "../../adapter/catalog.ts";
import { toolServer } from "../../adapter/in-process.ts";
import { suggestion } from "../../adapter/nearest.ts";
import { resultValue } from "../../core/tool.ts";
import { tools as invoiceTools } from "../../fixtures/invoices/tools.ts";
import { ORDERS } from "../../fixtures/refunds/data.ts";
import { tools as refundTools } from "../../fixtures/refunds/tools.ts";

function opened() {
  return catalog({
    billing: {
      server: toolServer([...refundTools, { type: "web_search" }]),
      effects: { find_order: "read", lookup_customer: "read" },
    },
    invoices: { server: toolServer(invoiceTools), effects: { lookup_vendor: "read" } },
  });
}

test("every tool has its server's name in front, its contract and its effect", async () => {
  const entries = await opened().entries();

  expect(entries.map(({ qualified, effect }) => [qualified, effect])).toEqual([
    ["billing.find_order", "read"],
    ["billing.lookup_customer", "read"],
    ["billing.refund", "write"],
    ["billing.send_mail", "write"],
    ["invoices.lookup_vendor", "read"],
    ["invoices.post_invoice", "write"],
    ["invoices.archive_document", "write"],
  ]);
  expect(entries[0]?.contract.contractHash).toMatch(/^sha256:/);
});

test("a call reaches the tool of that server", async () => {
  const result = await opened().callTool("billing.find_order", { orderId: "A-10001" });

  expect(resultValue(result)).toEqual(ORDERS.get("A-10001"));
});

test("an unknown name is an error that suggests a known one", async () => {
  await expect(opened().callTool("billing.find_ordr", {})).rejects.toMatchObject({
    code: "TOOL_UNKNOWN",
    hint: "Did you mean billing.find_order?",
  });
});

test.each(["web_search", "billing.web_search"])(
  "%s, which cannot be bridged, is refused with the reason that the list gives",
  async (name) => {
    const found = opened();
    const [listed] = await found.unsupported();
    await expect(found.callTool(name, {})).rejects.toMatchObject({
      code: "TOOL_UNSUPPORTED",
      message: expect.stringContaining(String(listed?.reason)),
    });
    await expect(
      toolServer([{ type: "web_search" }]).callTool("web_search", {}),
    ).rejects.toMatchObject({ code: "TOOL_UNSUPPORTED" });
  },
);

test.each([
  ["findordr", "a misspelt name without its source"],
  ["find_order", "a name without its source"],
  ["desk.order", "a part of a name"],
])("%s, %s, is near the tool that was meant", (wanted) => {
  const names = ["billing.find_order", "crm.lookup_person"];
  expect(suggestion(wanted, names)).toBe("Did you mean billing.find_order?");
});

test("a list of names that is cut says so", () => {
  const names = Array.from({ length: 35 }, (_, n) => `tool_${n}`);
  expect(suggestion("zzz", names)).toMatch(/tool_29, and 5 more\.$/);
});

test("arguments get their canonical form, and a tool nobody knows leaves them alone", async () => {
  const tools = opened();
  await tools.entries();
  const args = { orderId: "A-10001", cents: 100, reason: "other" };

  expect(tools.canonicalArgs("billing.refund", args)).toEqual({ ...args, currency: "EUR" });
  expect(tools.canonicalArgs("billing.none", args)).toEqual(args);
});

test("an effect that nobody declared is a write", async () => {
  const tools = opened();
  await tools.entries();

  expect(tools.effectOf("billing.find_order")).toBe("read");
  expect(tools.effectOf("billing.refund")).toBe("write");
  expect(tools.effectOf("billing.none")).toBe("write");
});

test("an author's name finds its server; an unknown one stays as it is", async () => {
  const tools = opened();
  await tools.entries();

  expect(tools.qualify("refund")).toBe("billing.refund");
  expect(tools.originalName("billing.refund")).toBe("refund");
  expect(tools.qualify("none")).toBe("none");
});

test("an author's name on two servers is ambiguous unless one is meant", async () => {
  const ping = () => tool(async () => "", { name: "ping", description: "", schema: z.object({}) });
  const tools = catalog({
    a: { server: toolServer([ping()]), effects: { ping: "read" } },
    b: { server: toolServer([ping()]), effects: { ping: "write" } },
  });
  await tools.entries();

  expect(tools.qualify("ping")).toBe("ping");
  expect(tools.qualify("ping", { servers: ["b"] })).toBe("b.ping");
  expect(tools.qualify("ping", { servers: ["c"], language: "javascript" })).toBe("ping");
  expect(tools.effectsByOriginalName()).toEqual({ ping: "write" });
});

test("what a server cannot bridge is told with the server's name", async () => {
  expect(await opened().unsupported()).toMatchObject([{ serverId: "billing", name: "web_search" }]);
});
