// How the chosen topics come to a page of one's own.

/** Shows the lines, in which every topic is named when none is chosen. */
export function showScript(element, names) {
  const wanted = names.length > 0 ? names : ["**"];
  element.textContent = `import { connect } from "${new URL("client.js", location.href)}";
const ticks = connect().subscribe(${JSON.stringify(wanted)});
ticks.on("tick", ({ topic, value }) => console.log(topic, value));`;
}
