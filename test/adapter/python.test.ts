/** The supervised Python process, with real Python. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, describe, expect, test, vi } from "vitest";
import { type PythonOptions, type PythonToolOptions, pythonTools } from "../../adapter/python.ts";
import type { ToolServer } from "../../adapter/tool-server.ts";
import { resultValue, textOf } from "../../core/tool.ts";
import {
  bridge,
  exists,
  freshFile,
  gone,
  here,
  interpreter,
  number,
  rejection,
  stubborn,
  unruly,
} from "./python-process.ts";

/** For tests that leave the process as they found it. */
const calm = pythonTools({
  target: "stubborn:TOOLS",
  interpreter,
  cwd: here,
  // Every call brings it.
  inject: (tool) => (tool === "whose" ? { user_id: undefined } : undefined),
});

afterAll(() => calm.close());

describe("tools", () => {
  test("every tool is listed with a contract, and what cannot be bridged with its reason", async () => {
    const server = calm;

    const contracts = await server.listTools();

    const echo = contracts.find((contract) => contract.name === "echo");
    expect(echo).toMatchObject({
      originalName: "echo",
      language: "python",
      description: "Return the text.",
      inputSchema: { type: "object", required: ["text"] },
      contractHash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
    expect(await server.unsupported()).toEqual([
      { name: "TOOLS[17]", reason: expect.stringContaining("without code") },
    ]);
  });

  test("an output whose root is no object is part of the contract, too", async () => {
    const contracts = await calm.listTools();
    expect(contracts.find(({ name }) => name === "descriptors")).toMatchObject({
      outputSchema: { type: "array", items: { type: "string" } },
    });
  });

  test("a contract hash is the same in another process", async () => {
    const hashes = async (server: ToolServer) =>
      new Map((await server.listTools()).map((tool) => [tool.name, tool.contractHash]));
    const known = await hashes(calm);
    const others = await hashes(stubborn());
    expect(others.size).toBeGreaterThan(10);
    for (const [name, hash] of others) expect(known.get(name)).toBe(hash);
  });

  test("nothing that is written to stdout reaches the protocol", async () => {
    const result = await calm.callTool("noisy", { text: "é\u2028" });
    expect(resultValue(result)).toBe("é\u2028");
  });

  test("calls run side by side in threads", async () => {
    const server = calm;
    const file = freshFile();
    const waiting = Array.from({ length: 8 }, () => server.callTool("wait_for", { path: file }));
    writeFileSync(file, "");
    expect((await Promise.all(waiting)).map(textOf)).toEqual(Array(8).fill("there"));
  });

  test("arguments the tool refuses are an error result", async () => {
    const result = await calm.callTool("crash", { code: "many" });
    expect(result.isError).toBe(true);
    expect(() => resultValue(result)).toThrow(/valid integer/);
  });

  test("an unknown tool is TOOL_UNKNOWN", async () => {
    expect(await rejection(calm.callTool("nope", {}))).toMatchObject({
      code: "TOOL_UNKNOWN",
    });
  });

  test("an injected argument comes from the host and is refused from the caller", async () => {
    const server = calm;
    const smuggled = await server.callTool(
      "whose",
      { user_id: "evil" },
      { inject: { user_id: "ada" } },
    );
    const injected = await server.callTool("whose", {}, { inject: { user_id: "ada" } });
    expect(smuggled.isError).toBe(true);
    expect(textOf(injected)).toBe("ada");
    expect(await rejection(server.callTool("whose", {}))).toMatchObject({
      code: "TOOL_UNSUPPORTED",
    });
  });

  test("a tool that needs what nobody gives is listed with that reason, and not as callable", async () => {
    const server = stubborn();
    expect((await server.listTools()).map(({ name }) => name)).not.toContain("whose");
    expect(await server.unsupported()).toContainEqual({
      name: "whose",
      reason: expect.stringContaining("needs binding: user_id"),
    });
  });

  test.each<[string, Partial<PythonToolOptions>, string]>([
    ["the host's hook", { inject: () => ({ user_id: "hooked" }) }, "hooked"],
    ["a Python object", { bind: "stubborn:BINDING" }, "bound in Python"],
  ])("%s gives what a tool needs, and no caller sends it", async (_, options, given) => {
    const server = stubborn(options);
    expect((await server.listTools()).map(({ name }) => name)).toContain("whose");
    expect(textOf(await server.callTool("whose", {}))).toBe(given);
    expect((await server.callTool("whose", { user_id: "evil" })).isError).toBe(true);
  });

  test("each item of a generator is progress", async () => {
    const seen: number[] = [];
    const result = await calm.callTool(
      "count",
      { upto: 3 },
      { onProgress: ({ progress }) => seen.push(progress) },
    );
    expect(seen).toEqual([1, 2, 3]);
    expect(resultValue(result)).toEqual([0, 1, 2]);
  });
});

describe("environment", () => {
  test("all of it is inherited unless the policy says otherwise", async () => {
    vi.stubEnv("TWINTRACK_TEST_SECRET", "s3cret");
    const tell = async (policy: Pick<PythonOptions, "env" | "inheritEnv">) => {
      const server = stubborn(policy);
      return textOf(await server.callTool("environment", { name: "TWINTRACK_TEST_SECRET" }));
    };
    try {
      expect(await tell({})).toBe("s3cret");
      expect(await tell({ inheritEnv: ["PATH"] })).toBe("(unset)");
      expect(await tell({ inheritEnv: false })).toBe("(unset)");
      expect(await tell({ inheritEnv: false, env: { TWINTRACK_TEST_SECRET: "set" } })).toBe("set");
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("deadlines", () => {
  test("a tool that hangs is TIMEOUT, and its process is killed with all it has started", async () => {
    const server = stubborn({ graceMs: 50 });
    const child = number(await server.callTool("spawn", {}));
    const started = freshFile();

    const error = await rejection(server.callTool("hang", { started }, { timeoutMs: 2_000 }));

    expect(error).toMatchObject({ code: "TIMEOUT", message: expect.stringContaining("2000 ms") });
    await gone(Number(readFileSync(started, "utf8")));
    await gone(child);
    expect(textOf(await server.callTool("echo", { text: "again" }))).toBe("again");
  });

  test("a tool that blocks the event loop is TIMEOUT, and its process is killed", async () => {
    const server = stubborn({ graceMs: 50 });
    await server.listTools();
    const started = freshFile();
    const error = await rejection(server.callTool("hog", { started }, { timeoutMs: 2_000 }));
    expect(error.code).toBe("TIMEOUT");
    await gone(Number(readFileSync(started, "utf8")));
  });

  test("other calls of a process that has a stuck one are finished first", async () => {
    const server = stubborn({ graceMs: 50 });
    const before = number(await server.callTool("pid", {}));
    const file = freshFile();
    const other = server.callTool("wait_for", { path: file });
    await rejection(server.callTool("hang", { started: freshFile() }, { timeoutMs: 300 }));
    await vi.waitFor(
      async () => expect(number(await server.callTool("pid", {}))).not.toBe(before),
      {
        timeout: 10_000,
      },
    );
    writeFileSync(file, "");

    expect(textOf(await other)).toBe("there");

    await gone(before);
  });

  test("an async tool that is cancelled stops, and its process goes on", async () => {
    const server = stubborn({ graceMs: 5_000 });
    const before = number(await server.callTool("pid", {}));
    const started = freshFile();
    const controller = new AbortController();
    const call = rejection(
      server.callTool("hang_politely", { started }, { signal: controller.signal }),
    );
    await exists(started);

    controller.abort();

    expect((await call).code).toBe("CANCELLED");
    expect(number(await server.callTool("pid", {}))).toBe(before);
  });

  test("a call that was cancelled before it began is never sent", async () => {
    const started = freshFile();
    const signal = AbortSignal.abort();
    const error = await rejection(stubborn().callTool("hang", { started }, { signal }));
    expect(error.code).toBe("CANCELLED");
    expect(existsSync(started)).toBe(false);
  });
});

describe("a lost process", () => {
  test("kill -9 in mid call is PYTHON_LOST with the signal, and the next call works", async () => {
    const server = stubborn();
    const started = freshFile();
    const call = rejection(server.callTool("hang", { started }));
    await exists(started);

    process.kill(Number(readFileSync(started, "utf8")), "SIGKILL");

    expect(await call).toMatchObject({
      code: "PYTHON_LOST",
      // D19: the kernel's end for want of memory looks just like this one.
      message: expect.stringContaining("SIGKILL from outside"),
    });
    expect(textOf(await server.callTool("echo", { text: "again" }))).toBe("again");
  });

  test("a crash is PYTHON_LOST with the exit code and the last of stderr", async () => {
    const { code, message } = await rejection(stubborn().callTool("crash", { code: 7 }));
    expect(code).toBe("PYTHON_LOST");
    expect(message).toContain("code 7");
    expect(message).toContain("something terrible happened");
  });

  test("all calls that were running are rejected", async () => {
    const server = stubborn();
    await server.listTools();
    const started = freshFile();
    const calls = Array.from({ length: 5 }, () => rejection(server.callTool("hang", { started })));
    await exists(started);
    process.kill(Number(readFileSync(started, "utf8")), "SIGKILL");
    expect((await Promise.all(calls)).map((error) => error.code)).toEqual(
      Array(5).fill("PYTHON_LOST"),
    );
  });

  test("a process that closes its pipes but lives is replaced", async () => {
    expect((await rejection(unruly("closes").callTool("x", {}))).code).toBe("PYTHON_LOST");
  });

  test("a hundred megabytes on stderr do not stop a call", async () => {
    expect(textOf(await stubborn().callTool("chatter", { megabytes: 100 }))).toBe("done");
  });
});

describe("a process that does not start", () => {
  test.each([
    ["interpreter", { interpreter: "/no/such/python" }, /no\/such\/python/, /virtual environment/],
    ["module", { target: "no_such_module:x" }, /No module named 'no_such_module'/, /cwd/],
    ["attribute", { target: "stubborn:nothing" }, /no attribute nothing/, /-c "import stubborn"$/],
    [
      "dot",
      { target: "test/stubborn.py:TOOLS" },
      /test\/stubborn/,
      /with dots: test\.stubborn:TOOLS$/,
    ],
    [
      "variable",
      { target: "unset:TOOLS" },
      /KeyError: .TWINTRACK_TEST_UNSET/,
      /env: \{ … \} .*\.env file is not loaded/,
    ],
    ["folder", { cwd: "/no/such/folder" }, /no\/such\/folder/, /^Set cwd/],
  ])(
    "a missing %s is PYTHON_UNAVAILABLE with the reason and a remedy",
    async (_, options, reason, hint) => {
      const error = await rejection(stubborn(options).callTool("echo", { text: "x" }));
      expect(error.code).toBe("PYTHON_UNAVAILABLE");
      expect(error.message).toMatch(reason);
      expect(error.hint).toMatch(hint);
    },
  );

  test("after five failures in a row a call fails at once", async () => {
    const server = stubborn({ interpreter: "/no/such/python" });
    for (let attempt = 0; attempt < 5; attempt += 1) await rejection(server.listTools());
    const startedAt = performance.now();
    expect((await rejection(server.listTools())).code).toBe("PYTHON_UNAVAILABLE");
    expect(performance.now() - startedAt).toBeLessThan(1_000); // The wait between starts is longer by then.
  });

  test("a silent process is PYTHON_UNAVAILABLE after the start's own limit", async () => {
    const error = await rejection(unruly("silent", { startTimeoutMs: 200 }).listTools());
    expect(error.code).toBe("PYTHON_UNAVAILABLE");
  });

  test("a closed server refuses calls", async () => {
    const server = stubborn();
    await server.close();
    expect((await rejection(server.listTools())).code).toBe("PYTHON_UNAVAILABLE");
  });
});

describe("frames", () => {
  test("strays, duplicates and ids of another type are ignored", async () => {
    expect(textOf(await unruly("strays").callTool("x", {}))).toBe("right");
  });

  test("an answer that comes byte by byte is whole", async () => {
    expect(textOf(await unruly("bytes").callTool("x", {}))).toBe("é\u2028😀");
  });

  test("a too long answer fails its own call only", async () => {
    const server = unruly("endless", { maxFrameBytes: 1_000_000 });
    await rejection(server.callTool("first", {}, { timeoutMs: 10_000 })).then((error) => {
      expect(error.code).toBe("VALUE_TOO_LARGE");
    });
  });

  test("an answer without a result is an error, not a hang", async () => {
    expect((await rejection(unruly("malformed").callTool("x", {}))).code).toBe("TOOL_FAILED");
  });

  test("megabytes go both ways", async () => {
    const server = calm;
    const text = "é".repeat(1_000_000);
    expect(textOf(await server.callTool("echo", { text }))).toBe(text);
    expect(textOf(await server.callTool("big", { length: 1_000_000 }))).toBe(text);
  });

  test("a too long request fails its own call only", async () => {
    const server = calm;
    const error = await rejection(server.callTool("echo", { text: "x".repeat(5_000_000) }));
    expect(error.message).toContain("too long");
    expect(textOf(await server.callTool("echo", { text: "next" }))).toBe("next");
  });
});

describe("any MCP client", () => {
  const transport = () =>
    new StdioClientTransport({
      command: interpreter,
      args: ["-m", "twintrack_bridge", "stubborn:TOOLS"],
      cwd: here,
      env: { PYTHONPATH: bridge, PATH: String(process.env.PATH) },
      stderr: "ignore",
    });

  test.each([
    ["2025", {}],
    ["2026", { versionNegotiation: { mode: { pin: "2026-07-28" } } }],
  ] as const)("the official client of %s lists and calls", async (_, options) => {
    const client = new Client({ name: "test", version: "1" }, options);
    await client.connect(transport());
    try {
      const { tools } = await client.listTools();
      const result = await client.callTool({ name: "echo", arguments: { text: "hi" } });
      expect(tools.map((tool) => tool.name)).toContain("echo");
      expect(result.content).toEqual([{ type: "text", text: "hi" }]);
    } finally {
      await client.close();
    }
  });
});
