/** A TCP proxy in front of a server: what a network, or a server that goes away, does to its clients. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";

export interface TcpProxy {
  port: number;
  /** Connections that were passed on so far. */
  passed(): number;
  /** Connections that were cut while they were open. */
  cut(): number;
  /** What happens to bytes on their way; nothing by default. */
  toxic: Toxic;
  /** Refuses new connections and resets those that are open. */
  close(): Promise<void>;
  /** Listens again, on the same port. */
  open(): Promise<void>;
}

export interface Toxic {
  /** Sees each chunk before it is passed on; may hold it back, or cut the connection. */
  meet?(chunk: Buffer, to: "server" | "client", connection: Meeting): Promise<void> | void;
  /** Bytes in each packet to the client. */
  sliceBytes?: number;
}

export interface Meeting {
  /** Cuts both ends, at once. */
  reset(): void;
}

/** A proxy that is closed until it is opened; its port is its own all the same. */
export async function proxyTo(host: string, port: number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  const counts = { passed: 0, cut: 0 };
  let server: Server | undefined;
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const own = (probe.address() as AddressInfo).port;
  await new Promise((resolve) => probe.close(resolve));
  const pass = (near: Socket) => {
    counts.passed++;
    const far = connect(port, host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
    const reset = () => {
      counts.cut++;
      near.resetAndDestroy();
      far.destroy();
    };
    near.pipe(passing("server", { reset })).pipe(far);
    far.pipe(passing("client", { reset })).pipe(near);
  };
  const passing = (to: "server" | "client", connection: Meeting) =>
    new Transform({
      async transform(chunk: Buffer, _encoding, done) {
        const { toxic } = proxy;
        await toxic.meet?.(chunk, to, connection);
        const size = to === "client" ? (toxic.sliceBytes ?? chunk.length) : chunk.length;
        for (let at = 0; at < chunk.length; at += size) this.push(chunk.subarray(at, at + size));
        done();
      },
    });
  const proxy: TcpProxy = {
    toxic: {},
    port: own,
    passed: () => counts.passed,
    cut: () => counts.cut,
    async open() {
      server = createServer(pass).listen(own, "127.0.0.1");
      await once(server, "listening");
    },
    async close() {
      const closing = server;
      server = undefined;
      counts.cut += open.size / 2;
      for (const socket of open) socket.resetAndDestroy();
      if (closing) await new Promise((resolve) => closing.close(resolve));
    },
  };
  return proxy;
}
