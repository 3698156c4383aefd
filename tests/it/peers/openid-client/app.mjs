// An application that knows OpenID Connect by openid-client alone, with a session of its own. It prints its address
// and reads, from one line of standard input, where its provider is and who it is itself: {issuer, id, secret}.
//
// `/` says whether somebody is signed in; `/login` signs in, with what it is asked with; `/initiate` does, where
// somebody else begins (OpenID Connect Core §4); `/backchannel` hears of logouts. `/ask/{what}` calls the provider
// with the tokens that it still holds, whether or not its session has ended: refresh, userinfo, introspect; and
// `/switch` takes its person to another organization. No page needs script.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import readline from 'node:readline';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';

const [logins, sessions] = [new Map(), new Map()];
let told, config, keys, base;

function answer(response, title, said, more = '') {
  const text = JSON.stringify(said, null, 1).replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  const type = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };
  const id = title.toLowerCase().replace(' ', '-');
  response.writeHead(200, type).end(`<!doctype html><title>${title}</title><pre id="${id}">${text}</pre>${more}`);
}

function redirect(response, to, cookie) {
  const headers = { location: to, 'cache-control': 'no-store' };
  if (cookie) headers['set-cookie'] = `${cookie}; HttpOnly; SameSite=Lax; Path=/`;
  response.writeHead(303, headers).end();
}

const cookies = (request) =>
  Object.fromEntries((request.headers.cookie ?? '').split('; ').map((cookie) => cookie.split('=')));

async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return new URLSearchParams(text);
}

// Remembers what the answer must match, and sends the browser to the provider.
async function login(response, more) {
  const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
  const to = client.buildAuthorizationUrl(config, {
    redirect_uri: `${base}/callback`, scope: 'openid profile email', state, nonce, ...more,
    code_challenge_method: 'S256', code_challenge: await client.calculatePKCECodeChallenge(verifier),
  });
  const id = randomUUID();
  logins.set(id, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
  redirect(response, to.href, `app_login=${id}`);
}

async function callback(request, response, url) {
  const checks = logins.get(cookies(request).app_login);
  logins.delete(cookies(request).app_login);
  const tokens = await client.authorizationCodeGrant(config, url, checks);
  const claims = tokens.claims();
  const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const id = randomUUID();
  sessions.set(id, { tokens, claims, info, ended: false });
  redirect(response, '/', `app_session=${id}`);
}

// OpenID Connect Back-Channel Logout 1.0 §2.6.
async function loggedOut(request, response) {
  const token = (await body(request)).get('logout_token');
  const rules = { issuer: config.serverMetadata().issuer, audience: told.id, typ: 'logout+jwt' };
  const { payload } = await jwtVerify(token, keys, rules);
  if (!payload.events?.['http://schemas.openid.net/event/backchannel-logout'] || payload.nonce) throw new Error('events');
  for (const session of sessions.values()) {
    if (session.claims.sid === payload.sid) session.ended = true;
  }
  response.writeHead(200, { 'cache-control': 'no-store' }).end();
}

const asks = {
  async refresh(session) {
    const tokens = await client.refreshTokenGrant(config, session.tokens.refresh_token);
    Object.assign(session, { tokens, claims: tokens.claims() });
    return session.claims;
  },
  userinfo: (session) => client.fetchUserInfo(config, session.tokens.access_token, session.claims.sub),
  introspect: (session) => client.tokenIntrospection(config, session.tokens.access_token),
  async session(session) {
    const url = new URL('/api/v1/session', told.issuer);
    const reply = await client.fetchProtectedResource(config, session.tokens.access_token, url, 'GET');
    return reply.json();
  },
};

// What a library refuses, in few words.
const refusal = (error) => ({
  error: error.error ?? error.cause?.[0]?.parameters?.error ?? error.code, status: error.status ?? error.cause?.status,
});

async function move(session, organization) {
  const url = new URL('/api/v1/session/switch', told.issuer);
  const headers = new Headers({ 'content-type': 'application/json' });
  const reply = await client.fetchProtectedResource(
    config, session.tokens.access_token, url, 'POST', JSON.stringify({ organization }), headers);
  return reply.json();
}

async function serve(request, response) {
  const url = new URL(request.url, base);
  const session = sessions.get(cookies(request).app_session);
  const query = Object.fromEntries(url.searchParams);
  if (url.pathname === '/callback') return callback(request, response, url);
  if (url.pathname === '/login') return login(response, query);
  if (url.pathname === '/backchannel') return loggedOut(request, response);
  if (url.pathname === '/initiate' && query.iss === config.serverMetadata().issuer) return login(response, {});
  if (!session) return answer(response, 'Signed out', null);
  if (url.pathname === '/switch') return answer(response, 'Switched', await move(session, (await body(request)).get('to')));
  const ask = asks[url.pathname.replace('/ask/', '')];
  if (ask) return answer(response, 'Answered', await ask(session).catch(refusal));
  if (session.ended) return answer(response, 'Signed out', null);
  const form = '<form method="post" action="/switch"><input name="to"><button>Switch</button></form>';
  return answer(response, 'Signed in', { claims: session.claims, info: session.info }, form);
}

const server = http.createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end(String(error));
  });
});
server.listen(0, '127.0.0.1', () => {
  base = `http://127.0.0.1:${server.address().port}`;
  console.log(base);
});
for await (const line of readline.createInterface({ input: process.stdin })) {
  told = JSON.parse(line);
  config = await client.discovery(new URL(told.issuer), told.id, {}, client.ClientSecretBasic(told.secret), {
    execute: [client.allowInsecureRequests],
  });
  keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
  console.log('ready');
}
process.exit(0);
