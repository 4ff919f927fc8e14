// Usage: node tests/browser/dashboard.mjs --nginx /usr/sbin/nginx --module ngx_rtmp_module.so [--screenshots DIR]
//
// Starts nginx with the module, publishes to it, and opens `rtmp_dashboard` in headless Chromium; see
// page.mjs for the rest.

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { runAll } from "./browser.mjs";
import { startServer } from "./server.mjs";

const HOSTILE = `<img src=x onerror="document.title='broken into'">`;

const { values: options } = parseArgs({
  options: { nginx: { type: "string" }, module: { type: "string" }, screenshots: { type: "string" } },
});

let server;

const tests = {
  "says where to publish when nothing is published": saysWhereToPublish,
  "shows a stream whose numbers move": showsAStream,
  "plays the preview of a stream": playsThePreview,
  "records and stops recording": records,
  "drops a publisher when that is confirmed": dropsAPublisher,
  "does nothing where control is closed": doesNothingWhereControlIsClosed,
  "warns of missing keyframes and missing sound": warns,
  "takes a hostile stream name for text": takesAHostileNameForText,
  "fits a phone, in light and in dark": fitsAPhone,
  "is usable by keyboard": isUsableByKeyboard,
  "shows two thousand streams": showsTwoThousand,
  "tells when the server does not answer": tellsWhenTheServerIsGone,
  "asks nothing while nobody looks": asksNothingWhileHidden,
};

async function saysWhereToPublish(page) {
  await page.goto(server.url);
  await page.waitForSelector("#empty:visible");
  assert.match(await page.textContent("#addresses code"), /^rtmp:\/\/127\.0\.0\.1(:\d+)?\/live$/);
  assert.equal(await page.textContent("#total-streams"), "0");
  assert.equal(await page.textContent("#connection"), "Live");
  await screenshot(page, "empty");
}

async function showsAStream(page) {
  await withStream("cam", {}, async () => {
    const player = server.play("cam");
    await page.goto(server.url);
    const row = page.locator("#rows .row", { hasText: "live/cam" });
    await row.locator(".video", { hasText: "H.264 320×180" }).waitFor();
    await row.locator(".audio", { hasText: "AAC" }).waitFor();
    await row.locator(".in .value", { hasText: /^\d+(\.\d+)? [kM]bit\/s$/ }).waitFor();
    await row.locator(".viewers", { hasText: /^1$/ }).waitFor();
    await row.locator('.spark path.line[d*="L"]').waitFor({ state: "attached" });
    const time = await row.locator(".time").textContent();
    await page.waitForFunction((before) => document.querySelector("#rows .time").textContent !== before, time);
    assert.equal(await page.textContent("#total-streams"), "1");
    await row.locator("a").click();
    await page.locator(".facts dd", { hasText: "H.264" }).waitFor();
    await page.locator(".clients tbody tr").waitFor();
    await player.stop();
    await page.locator(".clients tbody tr").waitFor({ state: "detached" });
  });
  await page.waitForSelector("#empty:visible");
  await page.locator("#detail .state", { hasText: "ended" }).waitFor();
}

async function playsThePreview(page) {
  await withStream("cam", {}, async () => {
    await open(page, "cam");
    await videoReaches(page, 1);
    const before = await measured(page);
    await videoReaches(page, before.time + 1);
    const after = await measured(page);
    assert.equal(after.size, "320x180");
    assert.ok(after.frames > before.frames, "frames are decoded");
    assert.ok(after.colours > 10, `the picture is not blank: ${after.colours} colours`);
    await page.waitForSelector(".notice", { state: "hidden" });
    await screenshot(page, "stream");
    await page.click("#detail .close");
    await page.waitForSelector("#detail", { state: "hidden" });
    assert.equal(await page.locator("video").count(), 0);
  });
}

async function records(page) {
  await withStream("cam", {}, async () => {
    await open(page, "cam");
    await button(page, "Record “tape”").click();
    await button(page, "Stop recording “tape”").waitFor();
    await page.locator(".facts dd", { hasText: /recording, cam.*\.flv/ }).waitFor();
    await button(page, "Stop recording “tape”").click();
    await button(page, "Record “tape”").waitFor();
    const [file] = readdirSync(join(server.prefix, "rec"));
    assert.match(file, /^cam.*\.flv$/);
    assert.ok(statSync(join(server.prefix, "rec", file)).size > 1000, file);
  });
}

async function dropsAPublisher(page) {
  await withStream("cam", {}, async (publisher) => {
    await open(page, "cam");
    await button(page, "Drop publisher").click();
    await button(page, "Cancel").click();
    await button(page, "Drop publisher").click();
    await button(page, "Disconnect").click();
    await publisher.ended;
    await page.waitForSelector("#empty:visible");
  });
}

async function doesNothingWhereControlIsClosed(page) {
  await withStream("cam", {}, async () => {
    await open(page, "cam", server.readOnly);
    await page.locator(".facts dd", { hasText: "H.264" }).waitFor();
    assert.equal(await page.locator(".actions button").count(), 0);
    const status = await page.evaluate(async () => (await fetch("api/v1/streams/live/cam", { method: "DELETE" })).status);
    assert.equal(status, 403);
    page.expectsErrors = true;
  });
}

async function warns(page) {
  await withStream("cam", { sound: false, gop: 9999 }, async () => {
    await open(page, "cam");
    await page.locator(".warnings", { hasText: /No keyframe for \d+/ }).waitFor();
    await page.locator(".warnings", { hasText: /No sound for \d+/ }).waitFor();
    const row = page.locator("#rows .row", { hasText: "live/cam" });
    assert.equal(await row.getAttribute("data-status"), "bad");
    assert.equal(await page.textContent("#only .count"), "1");
    assert.match(await page.title(), /^\(1\) /);
    await screenshot(page, "warning");
  });
}

async function takesAHostileNameForText(page) {
  await withStream(HOSTILE, {}, async () => {
    await page.goto(server.url);
    const name = page.locator("#rows .name b");
    await name.waitFor();
    assert.equal(await name.textContent(), HOSTILE);
    await name.click();
    await page.locator("#detail h2 b", { hasText: "onerror" }).waitFor();
    await videoReaches(page, 0.5);
    await button(page, "Drop publisher").click();
    await page.locator("dialog h2", { hasText: "onerror" }).waitFor();
    assert.equal(await page.locator("img").count(), 1);
    assert.doesNotMatch(await page.title(), /broken/);
  });
}

async function fitsAPhone(page) {
  await page.setViewportSize({ width: 390, height: 844 });
  await withStream("a-name-that-is-longer-than-a-phone-is-wide-0123456789", {}, async () => {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(server.url);
      await page.locator("#rows .row").waitFor();
      await fits(page);
      await screenshot(page, `phone-${scheme}`);
    }
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.selectOption("#theme select", "light");
    assert.notEqual(await ground(), dark);
    await page.click("#rows .row a");
    await videoReaches(page, 0.5);
    await fits(page);
    await screenshot(page, "phone-stream");
    await page.goBack();
    await page.waitForSelector("#detail", { state: "hidden" });
  });
}

async function fits(page) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `the page is ${width} pixels wide`);
}

async function isUsableByKeyboard(page) {
  await withStream("cam", {}, async () => {
    await page.goto(server.url);
    await page.locator("#rows .row").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("cam");
    await page.locator("#rows .row a").focus();
    await page.keyboard.press("Enter");
    await page.locator("#detail h2 b", { hasText: "cam" }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForSelector("#detail", { state: "hidden" });
    await page.keyboard.press("/");
    await page.keyboard.type("dromedary");
    await page.waitForSelector("#nothing:visible");
  });
}

async function showsTwoThousand(page) {
  await withStream("cam", {}, async () => {
    await page.route("**/api/v1/streams?*", async (route) => {
      const json = await (await route.fetch()).json();
      const stream = json.streams[0];
      json.streams = Array.from({ length: 2000 }, (_, index) => ({ ...stream, name: `cam-${index}`, bw_in: 1e6 + index * 1000 }));
      await route.fulfill({ json });
    });
    await page.goto(server.url);
    await page.locator("#total-streams", { hasText: "2,000" }).waitFor();
    assert.ok((await page.locator("#rows .row").count()) < 60, "only what is seen is there");
    await screenshot(page, "many");
    await page.click('#head [data-order="in"]');
    await page.locator("#rows .row:first-child b", { hasText: "cam-1999" }).waitFor();
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.locator("#rows b", { hasText: /^cam-0$/ }).waitFor();
    await page.fill("#filter", "cam-1234");
    await page.locator("#rows .row:only-child b", { hasText: /^cam-1234$/ }).waitFor();
  });
}

async function tellsWhenTheServerIsGone(page) {
  page.expectsErrors = true;
  await withStream("cam", {}, async () => {
    await page.goto(server.url);
    await page.locator("#rows .row").waitFor();
    await page.route("**/api/**", (route) => route.abort());
    await page.waitForSelector("#problem:has-text('does not answer')");
    assert.ok(await page.locator("#rows .row").isVisible(), "what was known last is still there");
    await screenshot(page, "lost");
    await page.unrouteAll();
    await page.waitForSelector("#problem", { state: "hidden" });
  });
}

async function asksNothingWhileHidden(page) {
  await page.goto(server.url);
  await page.waitForSelector("#empty:visible");
  let asked = 0;
  await page.route("**/api/**", (route) => (asked++, route.continue()));
  const turn = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await turn(true);
  await page.waitForTimeout(3000);
  const before = asked;
  await page.waitForTimeout(5000);
  assert.equal(asked, before);
  await turn(false);
  await page.waitForRequest("**/api/**");
}

async function withStream(name, how, use) {
  const publisher = server.publish(name, how);
  try {
    await use(publisher);
  } finally {
    await publisher.stop();
  }
}

async function open(page, name, url = server.url) {
  await page.goto(`${url}#0/live/${name}`);
  await page.locator("#detail h2 b", { hasText: name }).waitFor();
}

function button(page, name) {
  return page.getByRole("button", { name, exact: true });
}

function videoReaches(page, seconds) {
  return page.waitForFunction((time) => document.querySelector("video")?.currentTime > time, seconds);
}

function measured(page) {
  return page.evaluate(() => {
    const video = document.querySelector("video");
    const canvas = new OffscreenCanvas(64, 36).getContext("2d");
    canvas.drawImage(video, 0, 0, 64, 36);
    const pixels = new Uint32Array(canvas.getImageData(0, 0, 64, 36).data.buffer);
    return {
      time: video.currentTime,
      size: `${video.videoWidth}x${video.videoHeight}`,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      colours: new Set(pixels).size,
    };
  });
}

async function screenshot(page, name) {
  if (options.screenshots) await page.screenshot({ path: join(options.screenshots, `${name}.png`) });
}

assert.ok(options.nginx && options.module, "--nginx and --module are needed");
server = await startServer(options);
try {
  await runAll(tests);
} finally {
  await server.stop();
}
