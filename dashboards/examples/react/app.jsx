// Two components that ask for some of the same topics, and a button that takes one of them away.
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { useTicks } from "./useTicks.js";

function Price({ topic }) {
  const tick = useTicks(topic).get(topic);
  return <strong>{tick ? tick.value.price : "…"}</strong>;
}

function Table() {
  const ticks = useTicks(["sim.AAPL", "sim.MSFT"]);
  return (
    <ul>
      {[...ticks.values()].map(({ topic, value, stale }) => (
        <li key={topic}>{`${topic} ${value.price}${stale ? " (stale)" : ""}`}</li>
      ))}
    </ul>
  );
}

function App() {
  const [isFull, setFull] = useState(true);
  return (
    <>
      <h1>Ticks in React</h1>
      <p>
        AAPL is at <Price topic="sim.AAPL" />
      </p>
      {isFull && <Table />}
      <button onClick={() => setFull(!isFull)}>{isFull ? "Less" : "More"}</button>
    </>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
