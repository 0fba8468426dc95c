// The page's client. Its socket is opened before anything else of the page is made, so that the server answers meanwhile.
import { connect } from "../../client/index.js";
import { socketsIn } from "../../client/worker.js";

/** The page's thread is for what is seen: messages reach it together, by way of a worker, where there may be one. */
function options() {
  try {
    return { WebSocket: socketsIn(new Worker(new URL("client/worker_side.js", location.href))) };
  } catch {
    return {};
  }
}

// By the page's own address: this module's has the version in it.
export const client = connect(new URL("ws", location.href), options());
await null; // the client connects once whoever made it gives way
