// The unmodified sigstore packages at work: one request as JSON on standard input, one answer as JSON on standard output.
"use strict";

const { readFileSync } = require("node:fs");
const sigstore = require("sigstore");
const { bundleToJSON } = require("@sigstore/bundle");
const { SigningConfig } = require("@sigstore/protobuf-specs");
const { bundleBuilderFromSigningConfig } = require("@sigstore/sign");

const patient = { timeout: 60000, retry: 0 };

const actions = {
  // With every service that a signing config names: certificate, log of the second kind, timestamp.
  async configured({ data, type, token, config }) {
    const builder = bundleBuilderFromSigningConfig({
      signingConfig: SigningConfig.fromJSON(JSON.parse(readFileSync(config, "utf8"))),
      identityProvider: { getToken: async () => token },
      bundleType: type ? "dsseEnvelope" : "messageSignature",
      fetchOptions: patient,
    });
    return bundleToJSON(await builder.create({ data: Buffer.from(data), type }));
  },
  // The package's own sign() and attest(), which know logs of the first kind only.
  async simple({ data, type, options }) {
    const content = Buffer.from(data);
    const given = { ...patient, ...options };
    return type ? sigstore.attest(content, type, given) : sigstore.sign(content, given);
  },
  async verify({ bundle, data, options }) {
    const content = data === undefined ? [] : [Buffer.from(data)];
    const signer = await sigstore.verify(bundle, ...content, { ...patient, ...options });
    return { subject: signer.identity.subjectAlternativeName };
  },
};

const { action, ...request } = JSON.parse(readFileSync(0, "utf8"));
actions[action](request).then(
  (answer) => process.stdout.write(JSON.stringify(answer)),
  (error) => {
    process.stderr.write(`${error.code}: ${error.message}${error.cause ? ` (${error.cause.message})` : ""}\n`);
    process.exitCode = 1;
  },
);
