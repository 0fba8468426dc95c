// A line between the browser and the daemon that a test cuts, stalls, or closes to WebSockets.
import { once } from "node:events";
import { connect, createServer } from "node:net";

const UPGRADE = /^GET [^\r]* HTTP\/1\.1\r\n[\s\S]*upgrade: websocket/i;
const REFUSAL = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/** Opens a port that leads to the daemon's. */
export async function openLine(port) {
  const pairs = new Set();
  let refused = 0;
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const pair = { near, far };
    pairs.add(pair);
    for (const end of [near, far]) {
      end.setNoDelay();
      end.on("error", () => {});
      end.on("close", () => {
        pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (piece) => {
      if (line.noUpgrades && UPGRADE.test(piece.toString("latin1"))) {
        refused += 1;
        near.end(REFUSAL);
      } else far.write(piece);
    });
    far.on("data", (piece) => {
      if (!near.write(piece)) {
        far.pause();
        near.once("drain", () => pair.isStalled || far.resume());
      }
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const line = {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Whether WebSockets are refused, as by a proxy that knows none. */
    noUpgrades: false,
    get refused() {
      return refused;
    },
    /** Ends every connection, as a lost network does. */
    cut: () => pairs.forEach(({ near }) => near.resetAndDestroy()),
    /** Nothing of the daemon's gets through on the connections that there are; nobody is told. */
    stall() {
      for (const pair of pairs) {
        pair.isStalled = true;
        pair.far.pause();
      }
    },
    flow() {
      for (const pair of pairs) {
        pair.isStalled = false;
        pair.far.resume();
      }
    },
    close() {
      server.close();
      pairs.forEach(({ near, far }) => [near, far].forEach((end) => end.destroy()));
    },
  };
  return line;
}
