// An issuer of users' tokens, made when a test runs: its keys go into the daemon's configuration.
import { generateKeyPairSync, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const NAME = "https://login.example.org/";
const AUDIENCE = "tickerd";
const KID = "of-the-tests";

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** `config` belongs into the daemon's configuration; `token` makes a token for a user that is good for `life` seconds. */
export async function makeIssuer(folder) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const keys = join(folder, "jwks.json");
  await writeFile(keys, JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: KID }] }));
  return {
    config: `[[auth.issuer]]\nissuer = "${NAME}"\naudience = "${AUDIENCE}"\nalgorithms = ["EdDSA"]\nkeys = "${keys}"\n`,
    token(user, groups, life = 3600) {
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: NAME, aud: AUDIENCE, sub: user, iat: now, exp: now + life, tickerd: { groups } };
      const text = `${part({ alg: "EdDSA", kid: KID })}.${part(claims)}`;
      return `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`;
    },
  };
}
