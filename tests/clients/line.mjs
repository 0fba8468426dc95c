// A line to the daemon that can be cut.
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Opens a port that leads to the daemon at `address`; `cut` ends every connection through it, as a lost network does. */
export async function openLine(address) {
  const [host, port] = address.split(":");
  const ends = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const [from, to] of [[near, far], [far, near]]) {
      ends.add(from);
      from.setNoDelay();
      from.on("error", () => {});
      from.on("close", () => {
        ends.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${server.address().port}`,
    cut: () => ends.forEach((end) => end.resetAndDestroy()),
    close: () => {
      ends.forEach((end) => end.destroy());
      server.close();
    },
  };
}
