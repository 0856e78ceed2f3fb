import { addAbortListener } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { CallAbort } from "../../adapter/call-abort.ts";

test("who listens once hears of the abort as of any other, with its reason", () => {
  const call = new CallAbort();
  const heard = vi.fn((event: Event) => (event.target as AbortSignal).reason as unknown);
  call.signal.addEventListener("abort", heard, { once: true });
  call.signal.addEventListener("abort", heard, { once: true });
  call.abort("too late");
  call.abort("again");

  expect(call.signal).toBeInstanceOf(AbortSignal);
  expect(call.signal).toMatchObject({ aborted: true, reason: "too late" });
  expect(heard.mock.results).toEqual([{ type: "return", value: "too late" }]);
});

test("who stopped listening, or came after the abort, hears nothing", () => {
  const call = new CallAbort();
  const heard = vi.fn();
  call.signal.addEventListener("abort", heard, { once: true });
  call.signal.removeEventListener("abort", heard);
  call.abort();
  call.signal.addEventListener("abort", heard, { once: true });

  expect(heard).not.toHaveBeenCalled();
});

test.each<[string, (signal: AbortSignal, heard: () => void) => void]>([
  ["a listener for good", (signal, heard) => signal.addEventListener("abort", heard)],
  [
    "a listener that another signal could end",
    (signal, heard) =>
      signal.addEventListener("abort", heard, { once: true, signal: new AbortController().signal }),
  ],
  [
    "an object that handles events",
    (signal, heard) => signal.addEventListener("abort", { handleEvent: heard }, { once: true }),
  ],
  ["onabort", (signal, heard) => void Object.assign(signal, { onabort: heard })],
  ["Node's addAbortListener", (signal, heard) => void addAbortListener(signal, heard)],
  [
    "AbortSignal.any",
    (signal, heard) => AbortSignal.any([signal]).addEventListener("abort", heard),
  ],
])("%s hears of the abort", (_, listen) => {
  const call = new CallAbort();
  const heard = vi.fn();
  listen(call.signal, heard);
  call.abort();

  expect(heard).toHaveBeenCalledTimes(1);
});

test("what Node does under the signal ends with it", async () => {
  const call = new CallAbort();
  const waiting = delay(60_000, undefined, { signal: call.signal });
  const asking = fetch("http://127.0.0.1:9/", { signal: call.signal });
  call.abort(new Error("given up"));

  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  await expect(asking).rejects.toThrow("given up");
});
