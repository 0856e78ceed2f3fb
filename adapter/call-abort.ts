/**
 * Aborting one call, where hardly any call is ever aborted.
 *
 * Every call has listeners for its abort, ours and LangChain's, and for Node to take one and to
 * release it costs more than to check the call's arguments. So a listener for the one event waits in
 * a list, and becomes Node's just before there is something to hear.
 */

type Listened = Parameters<EventTarget["addEventListener"]>;
type Listener = Listened[1];
type ListenerOptions = Listened[2];

interface Waiting {
  listener: Listener;
  options: ListenerOptions;
}

const WAITING = Symbol("listeners that wait for the abort");

interface CallSignal extends AbortSignal {
  [WAITING]: Waiting[];
}

/** An `AbortController`; whatever takes an `AbortSignal` can take its signal. */
export class CallAbort {
  readonly #controller = new AbortController();
  readonly #signal = this.#controller.signal as CallSignal;

  constructor() {
    this.#signal[WAITING] = [];
    this.#signal.addEventListener = addEventListener;
    this.#signal.removeEventListener = removeEventListener;
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  abort(reason?: unknown): void {
    for (const { listener, options } of this.#signal[WAITING].splice(0))
      native.addEventListener.call(this.#signal, "abort", listener, options);
    this.#controller.abort(reason);
  }
}

const native = EventTarget.prototype;

function addEventListener(
  this: CallSignal,
  type: string,
  listener: Listener,
  options?: ListenerOptions,
): void {
  const waiting = this[WAITING];
  if (!mayWait(type, listener, options))
    native.addEventListener.call(this, type, listener, options);
  else if (indexOf(waiting, listener) < 0) waiting.push({ listener, options });
}

function removeEventListener(
  this: CallSignal,
  type: string,
  listener: Listener,
  options?: boolean | EventListenerOptions,
): void {
  const at = type === "abort" ? indexOf(this[WAITING], listener) : -1;
  if (at >= 0) this[WAITING].splice(at, 1);
  else native.removeEventListener.call(this, type, listener, options);
}

function mayWait(type: string, listener: Listener, options: ListenerOptions): boolean {
  if (type !== "abort" || typeof listener !== "function" || typeof options !== "object")
    return false;
  return options.once === true && !options.capture && options.signal === undefined;
}

function indexOf(waiting: readonly Waiting[], listener: Listener): number {
  return waiting.findIndex((one) => one.listener === listener);
}
