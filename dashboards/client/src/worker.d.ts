/**
 * A class to give as `WebSocket` to `connect`: its sockets are in that worker, which runs `@tickerd/client/worker_side`. So a
 * page is interrupted for many messages together instead of for each.
 */
export function socketsIn(worker: Worker): new (url: string, protocol?: string) => any;
