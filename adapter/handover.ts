/**
 * Chunks handed from who makes them to who reads them, one at a time: the maker waits until the
 * reader took the last one, so that a slow reader bounds what is held.
 */
import { TwintrackError } from "../core/error.ts";

/** Resolves when the chunk was taken; rejects when nobody reads any more. */
export type Hand<T> = (chunk: T) => Promise<void>;

interface Offer<T> {
  chunk: T;
  taken: () => void;
  left: (error: Error) => void;
}

/**
 * Yields what `make` hands over and returns what it resolves with.
 *
 * @param make gets a signal that aborts with the reader's own, or when the reader stops early.
 */
export async function* handedOver<T, R>(
  signal: AbortSignal | undefined,
  make: (hand: Hand<T>, signal: AbortSignal) => Promise<R>,
): AsyncGenerator<T, R, void> {
  const leaving = new AbortController();
  const stop = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
  const offers: Offer<T>[] = [];
  let stirred = Promise.withResolvers<void>();
  let open = true;
  const hand: Hand<T> = (chunk) =>
    new Promise((taken, left) => {
      if (!open) left(nobodyReads());
      else offers.push({ chunk, taken, left });
      stirred.resolve();
    });
  let ended = false;
  const making = make(hand, stop).finally(() => {
    ended = true;
    stirred.resolve();
  });
  making.catch(() => undefined); // Thrown to the reader below, when it comes to the end.
  try {
    for (;;) {
      const offer = offers.shift();
      if (offer) {
        yield offer.chunk;
        offer.taken();
      } else if (ended) {
        return await making;
      } else {
        await stirred.promise;
        stirred = Promise.withResolvers<void>();
      }
    }
  } finally {
    open = false;
    if (!ended) leaving.abort();
    for (const { left } of offers) left(nobodyReads());
  }
}

function nobodyReads(): TwintrackError {
  return new TwintrackError("CANCELLED", "Nobody reads the stream any more");
}
