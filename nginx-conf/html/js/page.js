// The page: finds the live streams every few seconds and plays the chosen one.
//
// The address's fragment names the chosen stream, so a link to a stream can be sent to others.

import { ffmpegCommand, plainKey, rtmpServer, serverConfig, wireCopyButtons } from "./addresses.js";
import { Facts } from "./facts.js";
import { Player } from "./player.js";
import { liveStreams, playlistUrl } from "./streams.js";

const REFRESH_MS = 3000;

// A live stream that does not play for this many refreshes is started anew.
const PATIENCE = 4;

const $ = (id) => document.getElementById(id);
const video = $("video");
const player = new Player(video, showNotice);
const facts = new Facts(video);

let config = null;
let streams = [];
let chosen = null;
let stalled = 0;

async function main() {
  wireCopyButtons();
  addEventListener("hashchange", () => choose(nameInAddress()));
  $("publish-key").addEventListener("input", showPublishing);
  $("publish-key").addEventListener("change", ({ target }) => (target.value = plainKey(target.value)));
  $("unmute").addEventListener("click", () => (video.muted = false));
  video.addEventListener("volumechange", showUnmute);
  config = await serverConfig();
  showPublishing();
  await refreshForEver();
}

async function refreshForEver() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
  }
}

async function refresh() {
  const before = streamOf(chosen);
  try {
    streams = await liveStreams();
  } catch {
    $("summary").textContent = "The server does not answer. Trying again…";
    return;
  }
  showSummary();
  showStreams();
  if (chosen === null) choose(nameInAddress() ?? streams[0]?.name ?? null);
  else resume(before);
  showNotice();
  showFacts();
}

/** Plays the stream `name`, or waits for it. */
function choose(name) {
  if (name === null || name === chosen) return;
  chosen = name;
  $("title").textContent = name;
  document.title = name;
  player.stop();
  if (streamOf(name)) player.play(playlistUrl(name));
  showStreams();
  showPlaying();
  showNotice();
  for (const fact of document.querySelectorAll("#facts dd")) fact.textContent = "–";
}

// A stream that was away is a new one to the player; one that failed gets another chance.
function resume(before) {
  if (!streamOf(chosen) || ["playing", "blocked"].includes(player.state)) stalled = 0;
  else if (!before || ["idle", "ended", "failed"].includes(player.state)) stalled = PATIENCE;
  else stalled += 1;
  if (stalled < PATIENCE) return;
  stalled = 0;
  player.play(playlistUrl(chosen));
}

function streamOf(name) {
  return streams.find((stream) => stream.name === name);
}

function nameInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

function showSummary() {
  const count = streams.length;
  $("summary").textContent = count === 0 ? "Nothing live" : `${count} live`;
  $("summary").classList.toggle("on", count > 0);
}

function showStreams() {
  $("streams").replaceChildren(...streams.map(streamItem));
  $("live").hidden = streams.length === 0;
  $("empty").hidden = streams.length > 0 || chosen !== null;
}

function streamItem({ name }) {
  const link = document.createElement("a");
  link.href = `#${encodeURIComponent(name)}`;
  link.textContent = name;
  if (name === chosen) link.setAttribute("aria-current", "true");
  const item = document.createElement("li");
  item.append(link);
  return item;
}

function showPlaying() {
  $("watch").hidden = $("play").hidden = false;
  $("empty").hidden = true;
  $("play-hls").textContent = playlistUrl(chosen);
  $("play-rtmp").textContent = `${rtmpServer(config)}/${chosen}`;
}

function showNotice() {
  const text = noticeText();
  $("notice").textContent = text;
  $("notice").hidden = text === "";
  showUnmute();
}

function noticeText() {
  const live = streamOf(chosen) !== undefined;
  switch (player.state) {
    case "connecting":
      return "Connecting…";
    case "blocked":
      return "Press play to start.";
    case "waiting":
      return live ? "Waiting for the picture…" : "The stream has stopped. Waiting for it…";
    case "failed":
      return live ? "The stream could not be played. Trying again…" : "The stream has stopped.";
    case "ended":
      return "The stream has ended. If it returns, it plays here.";
    case "idle":
      return "This stream is not live. When it is, it plays here.";
    default:
      return "";
  }
}

function showUnmute() {
  $("unmute").hidden = !video.muted || player.state !== "playing";
}

function showFacts() {
  const stream = streamOf(chosen);
  if (!stream || player.state !== "playing") return;
  for (const [name, text] of Object.entries(facts.measure(stream))) {
    $(`fact-${name}`).textContent = text;
  }
}

function showPublishing() {
  const server = rtmpServer(config);
  $("publish-server").textContent = server;
  $("publish-ffmpeg").textContent = ffmpegCommand(server, plainKey($("publish-key").value));
}

main();
