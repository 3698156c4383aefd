// An application that knows OpenID Connect by openid-client alone. It is told where its provider is, who it
// is itself, and which cookie its person's browser has; it prints what it got, as JSON. Whatever the library
// refuses ends it with an error.
import * as client from 'openid-client';

const told = JSON.parse(process.argv[2]);
const auth = {
  client_secret_basic: () => client.ClientSecretBasic(told.secret),
  client_secret_post: () => client.ClientSecretPost(told.secret),
  none: () => client.None(),
}[told.method]();
const metadata = { id_token_signed_response_alg: told.algorithm };
const config = await client.discovery(new URL(told.issuer), told.id, metadata, auth, {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const to = client.buildAuthorizationUrl(config, {
  redirect_uri: told.redirect_uri,
  scope: 'openid profile email',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
  max_age: '3600',
});
const browser = await fetch(to, { redirect: 'manual', headers: { cookie: told.cookie } });
const back = new URL(browser.headers.get('location'));

const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 3600, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, back, checks);
const claims = tokens.claims();
const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const next = await client.refreshTokenGrant(config, tokens.refresh_token);
const confidential = told.method !== 'none';
const before = confidential ? await client.tokenIntrospection(config, next.access_token) : null;
await client.tokenRevocation(config, next.refresh_token);
const after = confidential ? await client.tokenIntrospection(config, next.access_token) : null;
const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: told.after });
const bye = await fetch(end, { redirect: 'manual', headers: { cookie: told.cookie } });

console.log(JSON.stringify({ claims, info, next: next.claims(), before, after, bye: bye.headers.get('location') }));
