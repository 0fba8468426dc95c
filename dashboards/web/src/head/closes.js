// What the server's close codes mean, in words.

const WORDS = {
  1009: "A message of this page was too large",
  1012: "The server restarts",
  4001: "The server needs a valid token",
  4003: "This page may not connect here",
  4004: "The server speaks another version",
  4008: "The server waits for a token",
  4009: "This page sent too much that the server does not understand",
  4100: "The server is full",
  4101: "Your address has too many connections",
  4102: "This page sent too many commands",
  4103: "The token has ended",
  4104: "This page reads too slowly",
};

/** A sentence without its full stop; "" for a code that says nothing to a reader. */
export const closeWords = (code) => WORDS[code] ?? "";

/** Closes that only a token helps against. */
export const wantsToken = (code) => code === 4001 || code === 4008 || code === 4103;
