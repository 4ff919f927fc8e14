// What the suites share: headless Chromium, and tests that are run one after another.

import assert from "node:assert/strict";

import { chromium } from "playwright-core";

const PATIENCE_MS = 20_000;

/**
 * Runs the tests, functions of a page by their names; prints one line a test, then "N passed, N failed".
 * `CHROMIUM` names a browser other than Debian's.
 */
export async function runAll(tests) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
  const results = [];
  for (const [name, test] of Object.entries(tests)) results.push(await run(browser, name, test));
  await browser.close();
  const passed = results.filter(Boolean).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  process.exitCode = passed === results.length ? 0 : 1;
}

/** Runs one test in a browser profile of its own; what the page logs as an error fails it. */
async function run(browser, name, test) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  try {
    await test(page);
    if (!page.expectsErrors) assert.deepEqual(errors, [], "the console shows no errors");
    console.log(`ok     ${name}`);
    return true;
  } catch (error) {
    console.log(`FAILED ${name}\n${error.stack}\nconsole: ${errors.join("\n") || "no errors"}`);
    return false;
  } finally {
    await context.close();
  }
}
