// The page's client. Its socket is opened before anything else of the page is made, so that the server answers meanwhile.
import { connect } from "../../client/index.js";

// By the page's own address: this module's has the version in it.
export const client = connect(new URL("ws", location.href));
await null; // the client connects once whoever made it gives way
