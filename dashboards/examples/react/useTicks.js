// A hook: the newest tick of each topic, by topic. Components that ask for the same topics share one subscription.
import { connect } from "@tickerd/client";
import { useEffect, useReducer, useRef } from "react";

const client = connect("ws://127.0.0.1:8425/ws");

export function useTicks(topics) {
  const names = [topics].flat().join(",");
  const ticks = useRef(new Map());
  const [, draw] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    const subscription = client.subscribe(names.split(","));
    subscription.on("tick", (tick) => {
      ticks.current.set(tick.topic, tick);
      draw();
    });
    return () => {
      subscription.close();
      ticks.current.clear();
    };
  }, [names]);
  return ticks.current;
}
