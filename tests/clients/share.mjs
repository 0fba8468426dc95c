// Connections that share a compressed stream, as a page and Node open them; see shared.py. Alone it runs in Node: WebSocket is
// the package ws or Node's own, as the argument says.

/**
 * Follows sim.** on three connections, later on a fourth; one lets go of it and comes back, one asks for what the others do not
 * get. Each step takes `steps` ticks of sim.sine. What each was told, as it came.
 */
export async function share([host, steps]) {
  const open = async () => {
    const socket = new WebSocket(`ws://${host}/ws?topics=sim.**`);
    const client = { socket, texts: [], sines: 0, wake: () => {} };
    socket.onmessage = ({ data }) => {
      client.texts.push(data);
      if (data.includes('"topic":"sim.sine"')) client.sines += 1;
      client.wake();
    };
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    client.say = (event, data) => socket.send(JSON.stringify({ event, data }));
    client.until = async (steps) => {
      const enough = client.sines + steps;
      while (client.sines < enough) await new Promise((resolve) => (client.wake = resolve));
    };
    return client;
  };
  const clients = [await open(), await open(), await open()];
  const [first, leaves, asks] = clients;
  await first.until(steps);
  leaves.say("unsubscribe", { topics: ["sim.**"] });
  leaves.say("subscribe", { topics: ["sim.AAPL"] });
  clients.push(await open());
  await first.until(steps);
  leaves.say("unsubscribe", { topics: ["sim.AAPL"] });
  leaves.say("subscribe", { topics: ["sim.**"] });
  for (let id = 0; id < 5; id += 1) {
    asks.say("topics", { id, match: "sim.**" });
    asks.say("get", { id, topics: ["sim.*"] });
    await first.until(1);
  }
  await leaves.until(steps);
  const told = clients.map(({ socket, texts }) => ({ extensions: socket.extensions, texts }));
  clients.forEach(({ socket }) => socket.close());
  return told;
}

if (globalThis.process?.argv[1]?.endsWith("share.mjs")) {
  const [host, steps, whose] = process.argv.slice(2);
  if (whose === "ws") {
    // Nothing of the daemon's client but what it is tested with.
    const { createRequire } = await import("node:module");
    globalThis.WebSocket = createRequire(new URL("../../dashboards/client/package.json", import.meta.url))("ws").WebSocket;
  }
  let told;
  if (whose === "page") {
    const { openBrowser, openPage } = await import("../browser/browser.js");
    const browser = await openBrowser();
    const page = await openPage(browser.context, `http://${host}/v1/topics/sim.sine`);
    told = await page.evaluate(share, [host, Number(steps)]);
    await browser.close();
  } else {
    told = await share([host, Number(steps)]);
  }
  process.stdout.write(JSON.stringify(told));
}
