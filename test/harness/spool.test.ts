/** Frames and the spool that holds them: what a crash, a full disk or a stranger can do to them. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync as openFile,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decodeFrames } from "../../harness/frame.ts";
import { openSpool, type Spool, type SpoolLimits } from "../../harness/spool.ts";
import { readSpool } from "../../harness/spool-folder.ts";
import { openSync } from "../../harness/sync.ts";
import { frameBytes, PAYLOAD } from "../app/frame.ts";
import { PRIVACY } from "../app/privacy.ts";

const payload = { input: { text: "ünïcödé 🎉 \u0000" } };
const frame = (seq: number): Buffer => frameBytes({ header: { seq }, payload });

const seqsOf = (bytes: Buffer) => decodeFrames(bytes).frames.map(({ header }) => header.seq);

describe("a frame", () => {
  test("holds its payload sealed, and opens to the exact bytes", () => {
    const [decoded] = decodeFrames(frame(1)).frames;
    expect(decoded?.header).toMatchObject({ seq: 1, flow: "add" });
    const opened = PRIVACY.vault.open(decoded?.payload ?? new Uint8Array(), "20251009-e.1/legacy");
    expect(opened.toString()).toBe(JSON.stringify({ ...PAYLOAD, ...payload }));
    expect(frame(1).includes("input")).toBe(false);
  });

  test("E5: torn at any byte is not read, and the one before it is", () => {
    const whole = Buffer.concat([frame(1), frame(2)]);
    for (let length = frame(1).length; length < whole.length; length++) {
      const { frames, consumed } = decodeFrames(whole.subarray(0, length));
      expect(frames.map(({ header }) => header.seq)).toEqual([1]);
      expect(consumed).toBe(frame(1).length);
    }
  });

  test("is not found in zeros, which a loss of power leaves where nothing was written yet", () => {
    const torn = Buffer.concat([frame(1), Buffer.alloc(4_096)]);
    expect(decodeFrames(torn)).toMatchObject({ consumed: frame(1).length });
    expect(seqsOf(torn)).toEqual([1]);
  });

  test("with one flipped bit is not read", () => {
    const bytes = frame(1);
    for (let at = 8; at < bytes.length; at++) {
      const broken = Buffer.from(bytes);
      broken[at] = (broken[at] ?? 0) ^ 1;
      expect(seqsOf(broken)).toEqual([]);
    }
  });
});

describe("the spool", () => {
  let folder: string;
  const open: Spool[] = [];
  const spoolIn = (
    where: string,
    epoch: string = crypto.randomUUID(),
    memoryBytes?: number,
    limits: SpoolLimits = {},
  ): Spool => {
    const spool = openSpool({
      folder: where,
      epoch,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      limits,
    });
    open.push(spool);
    return spool;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "twintrack-spool-"));
  });
  afterEach(() => {
    for (const spool of open.splice(0)) spool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A limit on the file size is a disk that is full after so many blocks of 512 bytes. */
  const fill = (blocks: number) => {
    const script = fileURLToPath(new URL("../app/fill-spool.ts", import.meta.url));
    const limited = `trap '' XFSZ; ulimit -f ${blocks}; exec "$0" "$@"`;
    const args = ["-c", limited, process.execPath, script, folder, "40"];
    return spawnSync("sh", args, { encoding: "utf8" });
  };
  const written = (spool: Spool) =>
    spool.files().flatMap(({ path }) => seqsOf(readSpool(path, 0, statSync(path).size)));

  test("has a frame on disk when append returns, readable by nobody else", () => {
    const spool = spoolIn(join(folder, "s"));
    spool.append(frame(1), 1);
    const [file] = spool.files();
    expect(written(spool)).toEqual([1]);
    expect(file?.active).toBe(true);
    expect(statSync(file?.path ?? "").mode & 0o077).toBe(0);
  });

  test("says when it is full, takes little more then, and accounts for what it does not take", () => {
    const roomFor = (frames: number) => (frames * frame(1).length) / 1024 / 1024;
    const spool = spoolIn(folder, "e", undefined, { maxMib: roomFor(10.5) });
    for (let seq = 1; seq <= 10; seq++) spool.append(frame(seq), seq);
    expect(spool.isFull()).toBe(false);
    for (let seq = 11; seq <= 20; seq++) spool.append(frame(seq), seq);
    expect(spool.isFull()).toBe(true);
    const kept = written(spool);
    const [gap] = spool.takeGaps();
    expect(gap).toEqual({ epoch: "e", fromSeq: kept.length + 1, toSeq: 20, cause: "spool_full" });
    // What was shipped makes room.
    spool.rotate();
    for (const { path } of spool.files()) rmSync(path);
    spool.files();
    expect(spool.isFull()).toBe(false);
  });

  test("remembers what it did not take when the process ends before anybody asked", () => {
    const spool = spoolIn(folder, "e", undefined, { maxMib: frame(1).length / 1024 / 1024 });
    for (let seq = 1; seq <= 20; seq++) spool.append(frame(seq), seq);
    spool.close();
    const bytes = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
    const { frames, gaps } = decodeFrames(Buffer.concat(bytes));
    expect(gaps).toEqual([
      { epoch: "e", fromSeq: frames.length + 1, toSeq: 20, cause: "spool_full" },
    ]);
  });

  test("gives up what waited too long, number by number, and nothing younger", () => {
    const spool = spoolIn(folder, "e", undefined, { maxAgeHours: 1 });
    for (const seq of [1, 2]) spool.append(frame(seq), seq);
    spool.rotate();
    spool.append(frame(3), 3);
    expect(spool.expire(Date.now() + 3_500_000)).toBe(0);
    expect(spool.expire(Date.now() + 3_700_000)).toBe(2);
    expect(spool.takeGaps()).toEqual([{ epoch: "e", fromSeq: 1, toSeq: 2, cause: "expired" }]);
    expect(written(spool)).toEqual([3]);
  });

  test.each(["never", "interval", "each"] as const)("with fsync %s holds every frame", (fsync) => {
    const spool = spoolIn(folder, "e", undefined, { fsync });
    for (const seq of [1, 2, 3]) spool.append(frame(seq), seq);
    spool.rotate();
    spool.append(frame(4), 4);
    expect(written(spool)).toEqual([1, 2, 3, 4]);
  });

  test("forces each frame to the disk before the answer when asked to, and never otherwise", () => {
    const [reading, writing] = [join(folder, "pipe"), "r+"] as const;
    spawnSync("mkfifo", [reading]);
    const pipe = openFile(reading, writing);
    try {
      // A pipe cannot be synced: who tries is told so.
      expect(() => openSync("each").wrote(pipe)).toThrow(/EINVAL|EROFS/);
      expect(() => openSync("never").wrote(pipe)).not.toThrow();
    } finally {
      closeSync(pipe);
    }
  });

  test("keeps frames in memory when its folder cannot be made, and says why", () => {
    writeFileSync(join(folder, "file"), "");
    const spool = spoolIn(join(folder, "file", "spool"));
    const first = frame(1);
    spool.append(first, 1);
    expect(spool.problem()).toMatch(/ENOTDIR|EEXIST/);
    expect(spool.takeMemory()).toEqual([first]);
    expect(spool.takeMemory()).toEqual([]);
  });

  test("goes back to the disk once it can, and the problem is over", () => {
    const blocker = join(folder, "spool");
    writeFileSync(blocker, "");
    const spool = spoolIn(blocker);
    spool.append(frame(1), 1);
    expect(spool.problem()).toBeDefined();
    rmSync(blocker);
    spool.append(frame(2), 2);
    expect(spool.problem()).toBeUndefined();
    expect(written(spool)).toEqual([2]);
    expect(spool.takeMemory()).toHaveLength(1);
  });

  test("counts as gaps what its memory cannot hold, neighbours as one", () => {
    writeFileSync(join(folder, "file"), "");
    const spool = spoolIn(join(folder, "file", "spool"), "e", frame(1).length + 10);
    const frames = [frame(1), frame(2), frame(3)];
    frames.forEach((bytes, index) => {
      spool.append(bytes, index + 1);
    });
    expect(spool.takeMemory()).toEqual([frames[0]]);
    expect(spool.takeGaps()).toMatchObject([{ fromSeq: 2, toSeq: 3 }]);
    expect(spool.takeGaps()).toEqual([]);
  });

  test("F1: cuts off the half frame that a full disk wrote, so that the next one can be read", () => {
    const filled = fill(Math.ceil((frame(1).length * 2.5) / 512));
    expect(filled.stderr).toBe("");
    const told = JSON.parse(filled.stdout) as { inMemory: number };
    // The limit was hit, so some frames waited in memory; what is on disk is whole.
    expect(told.inMemory).toBeGreaterThan(0);
    const names = readdirSync(folder).filter((name) => name.endsWith(".spool"));
    const files = names.sort().map((name) => readFileSync(join(folder, name)));
    expect(files.map((bytes) => decodeFrames(bytes).consumed)).toEqual(
      files.map((bytes) => bytes.length),
    );
    expect(files.flatMap(seqsOf).length + told.inMemory).toBe(40);
  });

  test("makes one file, not one for every answer, while the disk takes nothing at all", () => {
    const filled = fill(0);
    expect(JSON.parse(filled.stdout)).toMatchObject({
      problem: expect.stringMatching(/EFBIG/),
      inMemory: 40,
    });
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("says that the disk takes writes again, also when nobody writes", () => {
    const where = join(folder, "s");
    writeFileSync(where, "a file where the folder should be");
    const spool = spoolIn(where);
    spool.append(frame(1), 1);
    expect(spool.problem()).toMatch(/EEXIST|ENOTDIR/);
    rmSync(where);
    expect(spool.problem()).toBeUndefined();
    expect(readdirSync(where)).toEqual([]);
    expect(seqsOf(Buffer.concat(spool.takeMemory()))).toEqual([1]);
  });

  test("keeps in memory what it held on disk when its folder is gone for good", () => {
    const where = join(folder, "s");
    const spool = spoolIn(where);
    spool.append(frame(1), 1);
    rmSync(where, { recursive: true });
    writeFileSync(where, "a file where the folder was");
    spool.append(frame(2), 2);
    expect(spool.problem()).toMatch(/EEXIST|ENOTDIR/);
    expect(seqsOf(Buffer.concat(spool.takeMemory())).sort()).toEqual([1, 2]);
  });

  test("E7: shares its folder with another process: each writes its own files, all of them whole", async () => {
    const script = fileURLToPath(new URL("../app/fill-spool.ts", import.meta.url));
    const other = spawn(process.execPath, [script, folder, "200"], { stdio: "ignore" });
    const ended = once(other, "exit");
    const spool = spoolIn(folder);
    for (let seq = 1; seq <= 200; seq++) spool.append(frame(seq), seq);
    await vi.waitFor(() => expect(readdirSync(folder).length).toBeGreaterThan(1), 10_000);
    await ended;
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
    expect(files.map((bytes) => seqsOf(bytes).length)).toEqual([200, 200]);
    expect(files.map((bytes) => decodeFrames(bytes).consumed)).toEqual(
      files.map((bytes) => bytes.length),
    );
    // It is dead now: what it left is ours to ship.
    expect(written(spool)).toHaveLength(400);
  });

  test("F3: loses nothing when its folder is removed while it writes", () => {
    const where = join(folder, "s");
    const spool = spoolIn(where);
    spool.append(frame(1), 1);
    rmSync(where, { recursive: true });
    spool.append(frame(2), 2);
    expect(written(spool)).toEqual([1, 2]);
  });

  test("offers the files of a dead process, and never those of a living one", () => {
    const dead = spawnSync("sh", ["-c", "echo $$"], { encoding: "utf8" }).stdout.trim();
    writeFileSync(join(folder, `${dead}-old-000001.spool`), frame(1));
    writeFileSync(join(folder, `${process.ppid}-alive-000001.spool`), frame(2));
    const neighbour = spoolIn(folder);
    neighbour.append(frame(3), 3);
    const spool = spoolIn(folder);
    spool.append(frame(4), 4);
    expect(written(spool).sort()).toEqual([1, 4]);
  });

  test("takes over what a predecessor with the same pid left, as every container start has it", () => {
    writeFileSync(join(folder, `${process.pid}-predecessor-000001.spool`), frame(1));
    expect(written(spoolIn(folder))).toEqual([1]);
  });

  test("starts a new file when the old one is full, and lists the old one first", () => {
    const spool = spoolIn(folder);
    spool.append(frame(1), 1);
    spool.rotate();
    spool.append(frame(2), 2);
    expect(spool.files().map((file) => file.active)).toEqual([false, true]);
    expect(written(spool)).toEqual([1, 2]);
  });

  test("reads a file that was torn and then written on by nobody up to the tear", () => {
    const path = join(folder, "1-x-000001.spool");
    appendFileSync(path, Buffer.concat([frame(1), frame(2)]));
    truncateSync(path, frame(1).length + 5);
    expect(seqsOf(readSpool(path, 0, 1_000_000))).toEqual([1]);
  });
});
