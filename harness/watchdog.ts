/**
 * A thread that ends its process when the parent is gone. The main thread hears of it by itself,
 * unless a candidate holds it in an endless loop: then nobody else would ever stop it.
 */
const CHECK_EVERY_MS = 1_000;
const parent = process.ppid;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
}, CHECK_EVERY_MS);
