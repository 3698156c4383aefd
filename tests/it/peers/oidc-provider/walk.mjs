// A person in a browser, and an application that knows OpenID Connect by openid-client alone. It is told where
// its provider is and who it is itself; it prints what it got, as JSON. No page needs script.
import http from 'node:http';
import { chromium } from 'playwright-core';
import * as client from '../openid-client/node_modules/openid-client/build/index.js';

const told = JSON.parse(process.argv[2]);
const config = await client.discovery(new URL(told.issuer), told.id, {}, client.ClientSecretBasic(told.secret), {
  execute: [client.allowInsecureRequests],
});
const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const redirect_uri = `http://127.0.0.1:${told.port}/callback`;
const to = client.buildAuthorizationUrl(config, {
  redirect_uri, scope: 'openid profile email', state, nonce, code_challenge_method: 'S256',
  code_challenge: await client.calculatePKCECodeChallenge(verifier), ...told.more,
});
const back = new Promise((resolve) => {
  http.createServer((request, answer) => {
    answer.end('<title>The application</title>');
    if (request.url.startsWith('/callback')) resolve(new URL(request.url, redirect_uri));
  }).listen(told.port, '127.0.0.1');
});

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const context = await browser.newContext({ javaScriptEnabled: false });
const page = await context.newPage();
page.setDefaultTimeout(20_000);
await page.goto(to.href);
if (told.email) {
  await page.fill('input[name=email]', told.email);
  await page.click('button[type=submit]');
}
try {
  await page.waitForURL((url) => url.pathname.startsWith('/interaction/'));
  await page.fill('input[name=login]', 'ada@acme.example');
  await page.fill('input[name=password]', 'anything');
  await page.click('button[type=submit]');
  await page.waitForSelector('input[name=prompt][value=consent]', { state: 'attached' });
  await page.click('button[type=submit]');
} catch (error) {
  console.error(page.url());
  throw error;
}
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, await back, checks);
const claims = tokens.claims();
const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const cookies = await context.cookies(told.issuer);
const session = cookies.find((cookie) => cookie.name === 'stgd_session');
await browser.close();
console.log(JSON.stringify({ claims, info, access_token: tokens.access_token, session: session.value, http_only: session.httpOnly }));
process.exit(0);
