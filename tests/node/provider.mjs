// A certified OpenID provider (the package oidc-provider) for the test beside this file: whoever logs in is believed.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import Provider from "oidc-provider";

const [port, redirectUri] = process.argv.slice(2);
const keys = [
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
  generateKeyPairSync("ed25519"),
].map(({ privateKey }, n) => ({ ...privateKey.export({ format: "jwk" }), kid: `key-${n}`, use: "sig" }));

const client = (id, alg) => ({
  client_id: id,
  client_secret: `secret of ${id}`,
  redirect_uris: [redirectUri.replace("CLIENT", id)],
  id_token_signed_response_alg: alg,
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client("rs", "RS256"), client("ps", "PS256"), client("es", "ES256"), client("ed", "Ed25519")],
  jwks: { keys },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES256", "Ed25519"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  pkce: { required: () => true },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: true,
      name: `Named ${id}`,
      groups: id.startsWith("writer") ? ["writers"] : ["readers"],
    }),
  }),
});

provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
