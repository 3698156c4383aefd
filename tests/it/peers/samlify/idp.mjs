// An identity provider by samlify, on a port of its own; prints its address. Whoever comes is signed in at once, unless
// it is told to ask.
//
// `PUT /sp` tells it of the service provider and of who comes: {metadata, name, format, attributes, sign_response,
// encrypt, asks, host}. It signs the assertion always. Where it asks, a browser finds a page to sign in, stays signed
// in, and goes on by a button; `/tile` begins without being asked by anybody, and `/counts` is how often somebody
// proved who they are, and how often a service provider was answered. `host` is another name to go by.

import http from "node:http";
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import samlify from "samlify";

samlify.setSchemaValidator({ validate: async () => "not validated" });
const given = JSON.parse(readFileSync(0, "utf8"));
const { Constants } = samlify;
const state = {};
const counts = { authentications: 0, answers: 0 };
const people = new Map();

const template = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{ID}" Version="2.0" IssueInstant="{IssueInstant}" Destination="{Destination}" InResponseTo="{InResponseTo}"><saml:Issuer>{Issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{StatusCode}"/></samlp:Status><saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{AssertionID}" Version="2.0" IssueInstant="{IssueInstant}"><saml:Issuer>{Issuer}</saml:Issuer><saml:Subject><saml:NameID Format="{NameIDFormat}">{NameID}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{SubjectConfirmationDataNotOnOrAfter}" Recipient="{SubjectRecipient}" InResponseTo="{InResponseTo}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{ConditionsNotBefore}" NotOnOrAfter="{ConditionsNotOnOrAfter}"><saml:AudienceRestriction><saml:Audience>{Audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{IssueInstant}" SessionIndex="{AssertionID}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>{AttributeStatement}</saml:Assertion></samlp:Response>`;

function provider(base) {
  return samlify.IdentityProvider({
    entityID: base + "/metadata",
    privateKey: given.key,
    signingCert: given.cert,
    isAssertionEncrypted: Boolean(state.encrypt),
    dataEncryptionAlgorithm: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    keyEncryptionAlgorithm: "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    messageSigningOrder: "sign-then-encrypt",
    requestSignatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    wantAuthnRequestsSigned: true,
    nameIDFormat: [state.format || "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"],
    singleSignOnService: [{ Binding: Constants.namespace.binding.redirect, Location: base + "/sso" }],
    singleLogoutService: [{ Binding: Constants.namespace.binding.redirect, Location: base + "/slo" }],
    loginResponseTemplate: {
      context: template,
      attributes: Object.keys(state.attributes || {}).map((name) => ({
        name,
        valueTag: name.replace(/[^A-Za-z]/g, ""),
        nameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:basic",
        valueXsiType: "xs:string",
      })),
    },
  });
}

async function respond(idp, request) {
  const sp = samlify.ServiceProvider({ metadata: state.metadata });
  const acs = sp.entityMeta.getAssertionConsumerService(Constants.wording.binding.post);
  const now = new Date();
  const later = new Date(now.getTime() + 300_000).toISOString();
  const fill = (text) => {
    const id = "_" + randomUUID();
    const values = {
      ID: id, AssertionID: "_" + randomUUID(), Destination: acs, Audience: sp.entityMeta.getEntityID(),
      SubjectRecipient: acs, Issuer: idp.entityMeta.getEntityID(), IssueInstant: now.toISOString(),
      StatusCode: Constants.StatusCode.Success, ConditionsNotBefore: now.toISOString(), ConditionsNotOnOrAfter: later,
      SubjectConfirmationDataNotOnOrAfter: later, NameIDFormat: state.format, NameID: state.name,
      InResponseTo: request, AuthnStatement: "",
    };
    if (!request) text = text.replaceAll(' InResponseTo="{InResponseTo}"', "");
    for (const [name, value] of Object.entries(state.attributes)) {
      values["attr" + name.replace(/[^A-Za-z]/g, "").replace(/^./, (c) => c.toUpperCase())] = value;
    }
    return { id, context: samlify.SamlLib.replaceTagsByValue(text, values) };
  };
  const { context } = await idp.createLoginResponse(
    sp, { extract: { request: { id: request } } }, "post", {}, fill, false, "");
  counts.answers += 1;
  const field = `<input type="hidden" name="SAMLResponse" value="${context}"/>`;
  return `<title>Go on</title><form method="post" action="${acs}">${field}<button>Go on</button></form>`;
}

const asking = `<title>Sign in</title><form method="post"><input name="login"/><input name="password"/><button>Sign in</button></form>`;

// Whether the person at the browser must say who they are first; whoever just has is remembered.
async function isStranger(request, headers) {
  if (!state.asks) return false;
  if (request.method === "POST") {
    let body = "";
    for await (const part of request) body += part;
    if (new URLSearchParams(body).get("login") !== state.name) return true;
    const id = randomUUID();
    people.set(id, state.name);
    counts.authentications += 1;
    headers["Set-Cookie"] = `idp_session=${id}; HttpOnly; SameSite=Lax; Path=/`;
    return false;
  }
  const cookie = /idp_session=([^;]+)/.exec(request.headers.cookie ?? "");
  return !people.has(cookie?.[1]);
}

const server = http.createServer(async (request, answer) => {
  const base = `http://${state.host ?? "127.0.0.1"}:${server.address().port}`;
  const url = new URL(request.url, base);
  const send = (status, body, headers = {}) => answer.writeHead(status, headers).end(body);
  try {
    if (request.method === "PUT") {
      let body = "";
      for await (const part of request) body += part;
      Object.assign(state, JSON.parse(body));
      return send(200, "");
    }
    const idp = provider(base);
    if (url.pathname === "/metadata") return send(200, idp.getMetadata());
    if (url.pathname === "/counts") return send(200, JSON.stringify(counts));
    const headers = { "Content-Type": "text/html" };
    if (await isStranger(request, headers)) return send(200, asking, headers);
    if (url.pathname === "/tile") return send(200, await respond(idp, ""), headers);
    if (url.pathname === "/sso") {
      const sp = samlify.ServiceProvider({ metadata: state.metadata });
      const octets = url.search.slice(1).replace(/&Signature=.*/, "");
      const query = Object.fromEntries(url.searchParams);
      const { extract } = await idp.parseLoginRequest(sp, "redirect", { query, octetString: octets });
      return send(200, await respond(idp, extract.request.id), headers);
    }
    return send(404, "");
  } catch (error) {
    return send(500, String(error?.stack ?? error));
  }
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
