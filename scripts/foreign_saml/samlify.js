// Responses of npm's samlify, one for each configuration: the scene comes on standard input, files go to the folder named in it.
//
// What samlify writes is a template, its own or one that is configured. Its own ("default") declares schema types with every value
// and has no AuthnStatement. The configured one is its own without the former and with the latter.
const fs = require("fs");
const path = require("path");
const samlify = require("samlify");

const scene = JSON.parse(fs.readFileSync(0, "utf8"));
const RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-";
const { redirect: REDIRECT, post: POST } = samlify.Constants.namespace.binding;
const EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
const own = samlify.SamlLib.defaultLoginResponseTemplate.context;
const AUTHN_STATEMENT =
  '<saml:AuthnStatement AuthnInstant="{IssueInstant}" SessionIndex="{AssertionID}"><saml:AuthnContext>' +
  "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>" +
  "</saml:AuthnContext></saml:AuthnStatement>";
const UNTYPED = '<saml:Attribute Name="{Name}"><saml:AttributeValue>{Value}</saml:AttributeValue></saml:Attribute>';
const fitting = own.replace(/ xmlns:xsi?="[^"]*"/g, "").replace("{AuthnStatement}", AUTHN_STATEMENT);
const configurations = {
  default: { context: own, attributeTemplate: null },
  assertion: { signed: { wantAssertionsSigned: true } },
  response: { signed: { wantMessageSigned: true } },
  both: { signed: { wantAssertionsSigned: true, wantMessageSigned: true } },
  sha512: { signed: { wantAssertionsSigned: true, wantMessageSigned: true }, algorithm: `${RSA}sha512` },
  sha1: { algorithm: "http://www.w3.org/2000/09/xmldsig#rsa-sha1" },
  unsolicited: { signed: { wantAssertionsSigned: true, wantMessageSigned: true }, unsolicited: true },
};

// A claim's tag in a template, and what is put there.
const tags = Object.keys(scene.claims).map((name) => ({ name, valueTag: name.split("/").pop() }));
const values = Object.fromEntries(
  tags.map(({ name, valueTag }) => [`attr${valueTag[0].toUpperCase()}${valueTag.slice(1)}`, scene.claims[name][0]]),
);

function provider({ context = fitting, attributeTemplate = UNTYPED, algorithm = `${RSA}sha256` }) {
  return samlify.IdentityProvider({
    entityID: scene.issuer,
    singleSignOnService: [{ Binding: REDIRECT, Location: scene.login_url }],
    singleLogoutService: [{ Binding: REDIRECT, Location: scene.login_url }],
    nameIDFormat: [EMAIL],
    privateKey: scene.key,
    signingCert: scene.certificate,
    requestSignatureAlgorithm: algorithm,
    loginResponseTemplate: {
      context,
      attributes: tags.map((tag) => ({ ...tag, valueXsiType: "xs:string" })),
      additionalTemplates: attributeTemplate && { attributeTemplate: { context: attributeTemplate } },
    },
  });
}

async function respond(options) {
  const idp = provider(options);
  const sp = samlify.ServiceProvider({
    entityID: scene.entity_id,
    assertionConsumerService: [{ Binding: POST, Location: scene.acs }],
    ...(options.signed ?? { wantAssertionsSigned: true }),
  });
  const asked = options.unsolicited
    ? undefined
    : await idp.parseLoginRequest(sp, "redirect", { query: { SAMLRequest: scene.saml_request } });
  const fill = (template) => {
    const now = new Date();
    const later = (minutes) => new Date(now.getTime() + minutes * 60000).toISOString();
    const filled = {
      ...values,
      ID: idp.entitySetting.generateID(),
      AssertionID: idp.entitySetting.generateID(),
      Destination: scene.acs,
      SubjectRecipient: scene.acs,
      Audience: scene.entity_id,
      Issuer: scene.issuer,
      IssueInstant: now.toISOString(),
      StatusCode: samlify.Constants.StatusCode.Success,
      ConditionsNotBefore: later(-5),
      ConditionsNotOnOrAfter: later(60),
      SubjectConfirmationDataNotOnOrAfter: later(60),
      NameIDFormat: EMAIL,
      NameID: scene.name_id,
      InResponseTo: asked?.extract.request.id,
      AuthnStatement: undefined,
    };
    return { id: filled.ID, context: samlify.SamlLib.replaceTagsByValue(template, filled) };
  };
  const { context } = await idp.createLoginResponse(sp, asked, "post", { email: scene.name_id }, fill);
  return Buffer.from(context, "base64");
}

async function main() {
  // samlify leaves the XML schema to another package; here it reads our request alone.
  samlify.setSchemaValidator({ validate: async () => "not validated" });
  for (const [name, options] of Object.entries(configurations)) {
    const folder = path.join(scene.folder, "samlify", name);
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, "response.xml"), await respond(options));
  }
}

main();
