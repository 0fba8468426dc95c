// Reads the address, and puts one strip on the page as soon as the daemon is there.

const AGAIN_MS = 2_000;

const asked = new URLSearchParams(location.search);
const server = asked.get("server") ?? "ws://127.0.0.1:8425/ws";
const number = (name, standard) =>
  asked.get(name) > 0 || asked.get(name) === "0" ? Number(asked.get(name)) : standard;

const strip = document.createElement("tickerd-ticker");
strip.setAttribute("topics", asked.get("topics") ?? "sim.*");
strip.setAttribute("server", server);
strip.setAttribute("speed", number("speed", 80));
strip.style.setProperty("--size", `${number("size", 32)}px`);
document.body.classList.toggle("top", asked.get("position") === "top");
document.body.classList.toggle("light", asked.get("theme") === "light");
document.body.classList.toggle("quiet", asked.has("quiet"));
document.body.append(strip);

const script = new URL("/elements.js", server.replace(/^ws/, "http"));
// A module that failed to load stays failed, so the daemon is waited for first.
while (
  !(await fetch(script).then(
    ({ ok }) => ok,
    () => false,
  ))
)
  await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
await import(script);
