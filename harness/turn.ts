/** Work that is done one after the other, in the order in which it came, whatever became of the work before. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

export function openTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}
