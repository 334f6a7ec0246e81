// Responses of npm's samlp, one for each configuration: the scene comes on standard input, files go to the folder named in it.
const fs = require("fs");
const path = require("path");
const samlp = require("samlp");

const scene = JSON.parse(fs.readFileSync(0, "utf8"));
const mapper = (claims) => () => ({
  getClaims: () => claims,
  getNameIdentifier: () => ({
    nameIdentifier: scene.name_id,
    nameIdentifierFormat: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
  }),
});
const common = {
  issuer: scene.issuer,
  audience: scene.entity_id,
  recipient: scene.acs,
  destination: scene.acs,
  key: scene.key,
  cert: scene.certificate,
  sessionIndex: "_session1",
  getPostURL: (audience, request, req, callback) => callback(null, scene.acs),
};
const bare = { profileMapper: mapper(undefined) };
// No option leaves out what declares and states schema types: saml 4.0.0, lib/saml20.js, lines 201, 202 and 222. No claims, no types.
const configurations = {
  default: { profileMapper: mapper(scene.claims) },
  untyped: { profileMapper: mapper(scene.claims), typedAttributes: false, includeAttributeNameFormat: false },
  no_claims_assertion: bare,
  no_claims_response: { ...bare, signResponse: true, signAssertion: false, signatureAlgorithm: "rsa-sha256", digestAlgorithm: "sha256" },
  no_claims_both: { ...bare, signResponse: true, signatureAlgorithm: "rsa-sha256", digestAlgorithm: "sha256" },
  no_claims_prefix: { ...bare, signatureNamespacePrefix: "ds" },
  no_claims_sha1: { ...bare, signatureAlgorithm: "rsa-sha1", digestAlgorithm: "sha1" },
  no_claims_unsolicited: { ...bare, unsolicited: true },
  no_session_index: { ...bare, sessionIndex: undefined },
};

for (const [name, options] of Object.entries(configurations)) {
  const handler = samlp.auth({
    ...common,
    ...options,
    getUserFromRequest: () => ({ id: scene.name_id }),
    responseHandler: (response) => {
      const folder = path.join(scene.folder, "samlp", name);
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, "response.xml"), response);
    },
  });
  const failed = (error) => {
    if (error) throw error;
  };
  const query = options.unsolicited ? {} : { SAMLRequest: scene.saml_request };
  handler({ method: "GET", query }, { send: console.error }, failed);
}
