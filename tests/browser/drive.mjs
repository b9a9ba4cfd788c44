// Drives a real Chromium for the tests: one command a line on standard input, one answer a line on standard output.
//
//   {"goto": URL}  {"fill": [LABEL, TEXT]}  {"type": [SELECTOR, TEXT]}  {"click": NAME}  {"cookies": true}  {"dark": true}
//   → {"url", "title", "text", "complaints"}   complaints: what the console says, refusals by a content policy among it
//
// NAME is what a person reads on a button or link.
import readline from 'node:readline';
import { chromium } from 'playwright-core';

const browser = await chromium.launch({ executablePath: process.argv[2], args: ['--no-sandbox'] });
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const page = await context.newPage();
let complaints = [];
page.on('console', (message) => complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));
page.setDefaultTimeout(20000);

async function obey(command) {
  if (command.goto) await page.goto(command.goto);
  if (command.fill) await page.getByLabel(command.fill[0]).fill(command.fill[1]);
  if (command.type) await page.locator(command.type[0]).fill(command.type[1]);
  if (command.click) {
    const name = { name: command.click };
    const target = page.getByRole('button', name).or(page.getByRole('link', name)).first();
    // What follows may be a chain of redirects, or a page that nobody serves.
    await Promise.all([page.waitForEvent('framenavigated'), target.click()]);
    await page.waitForLoadState().catch(() => {});
  }
  if (command.dark) await page.emulateMedia({ colorScheme: 'dark' });
  if (command.cookies) return { cookies: await context.cookies() };
  const style = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  return { url: page.url(), title: await page.title(), text: await page.innerText('body'), style };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await obey(JSON.parse(line));
  } catch (error) {
    answer = { failed: String(error), url: page.url() };
  }
  console.log(JSON.stringify({ ...answer, complaints }));
  complaints = [];
}
await browser.close();
