// The operator's page: asks the server every two seconds while somebody looks, and shows what it says.

import { clientsOf, everything, sections } from "./data.js";
import { Detail } from "./detail.js";
import { setAttribute, setText, show } from "./dom.js";
import { Empty } from "./empty.js";
import { addressOf, List } from "./list.js";
import { INTERVAL_S, Streams } from "./streams.js";
import { followTheme } from "./theme.js";
import { Totals } from "./totals.js";

const TITLE = `${location.host}, ngx-rtmp`;

const streams = new Streams();
const list = new List();
const totals = new Totals();
const empty = new Empty();
const detail = new Detail(() => refresh());
const connection = document.getElementById("connection");
const problem = document.getElementById("problem");

let timer = 0;
let isAsking = false;
let isAllowed = false;
let lastAnswer = null;
let warned = new Set();

/** Asks now, and again later. */
async function refresh() {
  clearTimeout(timer);
  if (isAsking || document.hidden) return;
  isAsking = true;
  try {
    await ask();
    tellConnection(null);
  } catch (error) {
    if (!("status" in error)) console.error(error);
    tellConnection(error);
  }
  isAsking = false;
  timer = setTimeout(refresh, INTERVAL_S * 1000);
}

async function ask() {
  if (!isAllowed) detail.allow(await sections());
  isAllowed = true;
  const selected = detail.stream;
  const [all, clients] = await Promise.all([everything(), selected && clientsOf(selected)]);
  lastAnswer = new Date();
  if (selected) selected.clients = clients;
  streams.update(all.streams, performance.now(), all.time);
  draw(all.server);
}

function draw(server) {
  const all = [...streams.all.values()];
  totals.update(server, streams);
  empty.update(server, all.length === 0);
  follow();
  list.update(all, detail.stream?.key);
  announce(all);
}

/** Looks at the stream that the page's address names. */
function follow() {
  const hash = location.hash;
  const wanted = hash && [...streams.all.values()].find((it) => addressOf(it) === hash);
  document.body.toggleAttribute("data-detail", Boolean(hash && (wanted || detail.stream)));
  if (!hash) detail.close();
  else if (wanted && wanted !== detail.stream) detail.open(wanted);
  else if (wanted) detail.update();
  else if (detail.stream && addressOf(detail.stream) === hash) detail.end();
  else detail.close();
}

/** Has screen readers say what is newly wrong, and the page's title how much is. */
function announce(all) {
  const ill = all.filter((it) => it.warnings.length);
  const now = new Set(ill.map((it) => it.key));
  const fresh = ill.filter((it) => !warned.has(it.key)).slice(0, 3);
  if (fresh.length) {
    const texts = fresh.map((it) => `${it.application}/${it.name}: ${it.warnings[0].text}`);
    setText(document.getElementById("news"), texts.join(". "));
  }
  warned = now;
  document.title = ill.length ? `(${ill.length}) ${TITLE}` : TITLE;
}

function tellConnection(error) {
  const time = lastAnswer?.toLocaleTimeString();
  setAttribute(connection, "data-state", error ? "lost" : "live");
  setText(connection, error ? "No answer" : "Live");
  setAttribute(document.body, "data-stale", String(Boolean(error)));
  show(problem, Boolean(error));
  if (!error) return;
  setText(problem.querySelector("b"), `${error.message}.`);
  const since = time ? `What is shown is of ${time}. ` : "";
  setText(problem.querySelector("span"), `${since}It is asked again every ${INTERVAL_S} seconds.`);
}

problem.querySelector("button").addEventListener("click", () => location.reload());

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    detail.pause();
    return;
  }
  detail.resume();
  refresh();
});

addEventListener("hashchange", () => {
  const before = detail.stream;
  follow();
  list.update([...streams.all.values()], detail.stream?.key);
  if (detail.stream && detail.stream !== before) detail.focus();
  refresh();
});

addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, dialog") && event.key !== "Escape") return;
  if (event.key === "Escape" && detail.stream && !event.target.closest("dialog")) location.hash = "";
  else if (event.key === "/" && !event.ctrlKey && !event.metaKey) {
    document.getElementById("filter").focus();
    event.preventDefault();
  }
});

setText(document.getElementById("host"), location.host);
document.title = TITLE;
followTheme(document.querySelector("#theme select"));
refresh();
