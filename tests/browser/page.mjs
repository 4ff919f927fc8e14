// Usage: node tests/browser/page.mjs --url http://127.0.0.1:8080/ [--stream demo] [--size 1280x720]
//
// Opens the page of a running server, to which `--stream` is being published, in headless Chromium,
// and prints one line a test, then "N passed, N failed". Exits with 1 if one failed.
// `npm ci` in this directory comes first; CHROMIUM names a browser other than Debian's.

import assert from "node:assert/strict";
import { parseArgs } from "node:util";

import { runAll } from "./browser.mjs";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    stream: { type: "string", default: "demo" },
    size: { type: "string", default: "1280x720" },
  },
});

const tests = {
  "plays by the browser's own player": (page) => plays(page),
  "plays by hls.js": async (page) => {
    await page.addInitScript(() => (HTMLMediaElement.prototype.canPlayType = () => ""));
    await plays(page);
    assert.match(await page.evaluate(() => document.querySelector("video").src), /^blob:/);
  },
  "shows and copies the publish address": showsAndCopiesThePublishAddress,
  "is usable by keyboard": isUsableByKeyboard,
  "explains how to publish when nothing is live": explainsHowToPublish,
  "does not list an ended stream": doesNotListAnEndedStream,
  "waits for a stream that ended and plays it again": playsAReturningStream,
  "takes a hostile stream name for text": takesAHostileNameForText,
  "tells when the server does not answer": tellsWhenTheServerIsGone,
};

async function plays(page) {
  const started = performance.now();
  await page.goto(options.url);
  await page.waitForFunction(() => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames > 0);
  console.log(`       first frame ${Math.round(performance.now() - started)} ms after navigation`);
  assert.ok((await listed(page)).includes(options.stream), "the stream is listed");

  const before = await measured(page);
  await videoReaches(page, before.time + 3);
  const after = await measured(page);
  assert.equal(after.size, options.size);
  assert.ok(after.frames > before.frames, "frames are decoded");
  assert.ok(after.soundBytes > before.soundBytes, "sound is decoded");
  assert.ok(after.colours > 10, `the picture is not blank: ${after.colours} colours`);

  const facts = [options.size.replace("x", " × "), /^\d+ fps$/, /^\d+\.\d Mbit\/s$/, /^\d+ s$/];
  for (const fact of facts) await page.locator("#facts dd", { hasText: fact }).waitFor();
}

async function showsAndCopiesThePublishAddress(page) {
  await page.goto(options.url);
  await page.waitForFunction(() => document.getElementById("publish-server").textContent);
  const shown = await page.textContent("#publish-server");
  assert.match(shown, new RegExp(`^rtmp://${new URL(options.url).hostname}:\\d+/live$`));

  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click('[data-copy="publish-server"]');
  await page.waitForSelector("text=Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), shown);

  await page.fill("#publish-key", "two words; ls");
  assert.ok((await page.textContent("#publish-ffmpeg")).endsWith(`${shown}/two-words-ls`));
}

async function isUsableByKeyboard(page) {
  await page.goto(`${options.url}#absent`);
  const link = page.locator("#streams a", { hasText: options.stream });
  await link.focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#streams a[aria-current]");
  await videoReaches(page, 0.5);
}

async function explainsHowToPublish(page) {
  await page.route("**/streams/", (route) => route.fulfill({ status: 204 }));
  await page.goto(options.url);
  await page.waitForSelector("#empty:visible");
  assert.ok(await page.isVisible("#publish-server"));
  assert.ok(await page.isHidden("#watch"));
}

async function doesNotListAnEndedStream(page) {
  await endPlaylists(page);
  await page.goto(options.url);
  await page.waitForSelector("#empty:visible");
  assert.deepEqual(await listed(page), []);
}

async function playsAReturningStream(page) {
  await page.goto(options.url);
  await videoReaches(page, 0.5);
  await endPlaylists(page);
  await page.waitForSelector("#notice:has-text('has ended')");
  await page.unrouteAll();
  await page.waitForSelector("#notice", { state: "hidden" });
  const { time } = await measured(page);
  await videoReaches(page, time + 1);
}

async function takesAHostileNameForText(page) {
  const name = `<img src=x onerror="document.title='broken into'">&amp;/../%2e "'`;
  await page.route("**/streams/", (route) => route.fulfill({ json: [{ name, type: "directory" }] }));
  await page.route("**/streams/*/index.m3u8", async (route) => {
    const playlist = `${new URL(options.url).href}streams/${options.stream}/index.m3u8`;
    await route.fulfill({ response: await route.fetch({ url: playlist }) });
  });
  await page.route("**/hls/*/index.m3u8", (route) => route.fulfill({ status: 204 }));
  await page.goto(options.url);
  await page.waitForSelector("#streams a");
  assert.deepEqual(await listed(page), [name]);
  assert.equal(await page.title(), name);
  assert.equal(await page.locator("main img").count(), 0);
}

async function tellsWhenTheServerIsGone(page) {
  page.expectsErrors = true;
  await page.goto(options.url);
  await videoReaches(page, 0.5);
  await page.route("**/streams/**", (route) => route.abort());
  await page.waitForSelector("#summary:has-text('does not answer')");
  await page.unrouteAll();
  await page.waitForSelector("#summary.on");
}

// Every playlist says from now on that its stream has ended.
async function endPlaylists(page) {
  await page.route("**/index.m3u8", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${await response.text()}#EXT-X-ENDLIST\n` });
  });
}

function videoReaches(page, seconds) {
  return page.waitForFunction((time) => document.querySelector("video").currentTime > time, seconds);
}

function listed(page) {
  return page.locator("#streams a").allTextContents();
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
      soundBytes: video.webkitAudioDecodedByteCount,
      colours: new Set(pixels).size,
    };
  });
}

assert.ok(options.url, "--url is needed");
await runAll(tests);
