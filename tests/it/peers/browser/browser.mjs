// A person at Chromium, who does what a test says: a step a line on standard input, as JSON, each answered by a line
// of where the person is then. No page has script. `CHROMIUM` names the program where it has another name.
//
// A step, in this order: {new: another browser, go: an address, fill: {selector: text}, click: a selector,
// until: a selector that is waited for, read: a selector whose text is told, cookies: an address}.
import { existsSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { chromium } from 'playwright-core';

function program() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(path.delimiter)];
  const places = ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error('no Chromium: run `make tools`, or name it in CHROMIUM');
  return found;
}

const browser = await chromium.launch({ executablePath: program(), args: ['--no-sandbox'] });
let [context, page, posts] = [null, null, []];

// What a form carried to where: the addresses, and the cookies that the browser really sent along.
async function posted(request) {
  const cookies = (await request.allHeaders()).cookie?.split('; ') ?? [];
  return { url: request.url(), cookies: cookies.map((cookie) => cookie.split('=')[0]) };
}

async function renew() {
  await context?.close();
  context = await browser.newContext({ javaScriptEnabled: false });
  page = await context.newPage();
  page.setDefaultTimeout(60_000);
  posts = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') posts.push(posted(request));
  });
}

async function step(told) {
  if (told.new || !context) await renew();
  if (told.go) await page.goto(told.go);
  for (const [selector, text] of Object.entries(told.fill ?? {})) await page.fill(selector, text);
  // Where a click leads is known by what is waited for there: a page may lead on by itself.
  if (told.click) await page.click(told.click, { noWaitAfter: true });
  if (told.until) await page.waitForSelector(told.until, { state: 'attached' });
  const text = told.read ? await page.textContent(told.read) : null;
  const cookies = told.cookies ? await context.cookies(told.cookies) : [];
  return { url: page.url(), title: await page.title(), text, cookies, posts: await Promise.all(posts) };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await step(JSON.parse(line));
  } catch (error) {
    const shown = await page?.textContent('body').catch(() => null);
    answer = { error: String(error), url: page?.url(), text: shown };
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
