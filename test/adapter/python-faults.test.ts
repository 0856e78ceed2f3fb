/**
 * Faults of the Python process, by their number in the catalogue of faults (D1 to D20). Those not
 * here are in python.test.ts (D1 to D5, D8, D11 to D13, D19), in test/faults (D14), and in
 * enforcement.test.ts (D18).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { textOf } from "../../core/tool.ts";
import { exists, freshFile, gone, number, rejection, stubborn, unruly } from "./python-process.ts";

test("D6: an answer that never ends fails its call and is not kept", async () => {
  const server = unruly("newlineless", { maxFrameBytes: 1_000_000, graceMs: 50 });
  const before = process.memoryUsage().rss;

  const error = await rejection(server.callTool("x", {}, { timeoutMs: 2_000 }));

  expect(error.code).toBe("TIMEOUT");
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
});

test("D7: two frames in a chunk, CRLF, empty lines, a BOM and a broken frame lose no answer", async () => {
  expect(textOf(await unruly("corpus").callTool("x", {}))).toBe("right");
});

test("D8: an answer after the deadline is for nobody, and the process goes on", async () => {
  const server = unruly("late", { graceMs: 10_000 });
  await server.listTools();

  expect((await rejection(server.callTool("x", {}, { timeoutMs: 100 }))).code).toBe("TIMEOUT");
  expect((await rejection(server.callTool("x", {}, { timeoutMs: 100 }))).code).toBe("TIMEOUT");
});

test("D9: a deadlocked tool is TIMEOUT, and its process is killed", async () => {
  const server = stubborn({ graceMs: 50 });
  await server.listTools();
  const started = freshFile();

  const error = await rejection(server.callTool("deadlock", { started }, { timeoutMs: 2_000 }));

  expect(error.code).toBe("TIMEOUT");
  await gone(Number(readFileSync(started, "utf8")));
});

test("D10: a process that stops reading costs its calls their deadline, and no memory", async () => {
  const server = unruly("deaf", { graceMs: 50 });
  await server.listTools();
  const text = "x".repeat(1_000_000);
  const before = process.memoryUsage().rss;

  const calls = Array.from({ length: 100 }, () =>
    rejection(server.callTool("x", { text }, { timeoutMs: 1_500 })),
  );

  const codes = new Set((await Promise.all(calls)).map(({ code }) => code));
  expect([...codes]).toEqual(["TIMEOUT"]);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
});

test("D15: a process that ignores SIGTERM and the end of its input is killed on close", async () => {
  const server = unruly("immortal");
  const pid = number(await server.callTool("x", {}));

  await server.close();

  await gone(pid);
});

describe("D16: a tool that is another one after a restart", () => {
  async function restarted(form: string) {
    const file = freshFile();
    writeFileSync(file, "first");
    const server = stubborn({ target: "changing:TOOLS", env: { TOOL_FORM: file } });
    expect(textOf(await server.callTool("pay", { cents: 5 }))).toBe("paid 5");
    writeFileSync(file, form);
    expect((await rejection(server.callTool("end", {}))).code).toBe("PYTHON_LOST");
    return server;
  }

  test.each(["second", "gone"])("is refused when it is %s; the others go on", async (form) => {
    const server = await restarted(form);

    const error = await rejection(server.callTool("pay", { cents: 5, account: "x" }));

    expect(error).toMatchObject({
      code: "CONTRACT_CHANGED",
      message: expect.stringMatching(/pay/),
    });
    expect(textOf(await server.callTool("stable", { text: "hi" }))).toBe("hi");
    expect((await server.listTools()).map(({ name }) => name)).toContain("pay");
  });

  test("is called again when it is the same", async () => {
    const server = await restarted("first");
    expect(textOf(await server.callTool("pay", { cents: 6 }))).toBe("paid 6");
  });
});

describe("D17: a bridge of another age", () => {
  test.each(["2024-11-05", "2099-01-01"])("that says %s is talked to", async (version) => {
    expect(textOf(await unruly(`speaks ${version}`).callTool("x", {}))).toBe(version);
  });

  test("that knows no initialize is PYTHON_UNAVAILABLE with its own words", async () => {
    const error = await rejection(unruly("speaks nothing").callTool("x", {}));
    expect(error.code).toBe("PYTHON_UNAVAILABLE");
    expect(error.message).toContain("Method not found");
  });
});

test("D20: the process inherits no descriptor of ours but its three pipes", async () => {
  const descriptors = JSON.parse(textOf(await stubborn().callTool("descriptors", {}))) as string[];
  const files = descriptors.filter((path) => path.startsWith("/") && !path.startsWith("/dev/"));

  expect(descriptors.length).toBeGreaterThanOrEqual(3);
  expect(files.filter((path) => !path.startsWith("/proc/"))).toEqual([]);
});

describe("workers", () => {
  test("calls are shared among them, and each is one process", async () => {
    const server = stubborn({ workers: 2 });
    const pids = new Set<number>();
    await vi.waitFor(
      async () => {
        const both = await Promise.all([server.callTool("pid", {}), server.callTool("pid", {})]);
        for (const result of both) pids.add(number(result));
        expect(pids.size).toBe(2);
      },
      { timeout: 30_000 },
    );
    for (let call = 0; call < 10; call += 1) pids.add(number(await server.callTool("pid", {})));
    expect(pids.size).toBe(2);
  });

  test("one that is lost takes its own calls with it and no other", async () => {
    const server = stubborn({ workers: 2 });
    const files = [freshFile(), freshFile()];
    await vi.waitFor(
      async () => {
        const both = await Promise.all([server.callTool("pid", {}), server.callTool("pid", {})]);
        expect(number(both[0])).not.toBe(number(both[1]));
      },
      { timeout: 30_000 },
    );
    const calls = files.map((started) =>
      server.callTool("hang", { started }, { timeoutMs: 2_000 }).then(
        () => "returned",
        (error: { code: string }) => error.code,
      ),
    );
    await Promise.all(files.map(exists));

    process.kill(Number(readFileSync(files[0] ?? "", "utf8")), "SIGKILL");

    expect(await Promise.all(calls)).toEqual(["PYTHON_LOST", "TIMEOUT"]);
  });
});

describe("a process for each call", () => {
  const alone = () => stubborn({ isolation: "process-per-call", graceMs: 60_000 });

  test("sees nothing of the call before it", async () => {
    const server = alone();
    await server.callTool("leave_behind", { value: 7 });
    expect(number(await server.callTool("leave_behind", { value: 8 }))).toBe(0);
  });

  test("is another process each time, and calls side by side wait for their turn", async () => {
    const server = alone();
    const results = await Promise.all([1, 2, 3].map(() => server.callTool("pid", {})));
    expect(new Set(results.map(number)).size).toBe(3);
  });

  test("is killed at once when the call is given up, without a grace", async () => {
    const server = alone();
    await server.listTools();
    const started = freshFile();
    await rejection(server.callTool("hang", { started }, { timeoutMs: 2_000 }));
    await gone(Number(readFileSync(started, "utf8")));
    expect(textOf(await server.callTool("echo", { text: "next" }))).toBe("next");
  });

  test("a call that waits for its turn has a deadline too", async () => {
    const server = alone();
    const started = freshFile();
    const caller = new AbortController();
    const hanging = rejection(server.callTool("hang", { started }, { signal: caller.signal }));
    await exists(started);
    const error = await rejection(server.callTool("echo", { text: "x" }, { timeoutMs: 100 }));
    expect(error.code).toBe("TIMEOUT");
    caller.abort();
    expect((await hanging).code).toBe("CANCELLED");
    expect(textOf(await server.callTool("echo", { text: "free" }))).toBe("free");
  });
});
