/** Asks again only when the last answer is older than `everyMs`. */
export function rarely<T>(everyMs: number, ask: () => T): () => T {
  let answer = ask();
  let askedAt = performance.now();
  return () => {
    if (performance.now() - askedAt < everyMs) return answer;
    askedAt = performance.now();
    answer = ask();
    return answer;
  };
}
