// What the server is asked and told, by the API below the page's own address.

const API = "api/v1";
const PATIENCE_MS = 8000;
/** As much as the API tells at once. */
const LIMIT = 10_000;

/** The server did not answer, or not with what was asked for; `status` is 0 without an answer. */
export class Problem extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Which sections of `rtmp_control` are open: `{ drop, record, redirect }`. */
export async function sections() {
  return (await call("")).body.sections;
}

/** The server, all streams, and the server's clock in milliseconds. */
export async function everything() {
  const [server, streams] = await Promise.all([call("/server"), call(`/streams?limit=${LIMIT}`)]);
  return { server: server.body, streams: streams.body.streams, time: streams.time };
}

/** The clients of a stream. */
export async function clientsOf({ application, name, server }) {
  const query = new URLSearchParams({ application, stream: name, limit: LIMIT });
  if (server !== null) query.set("server", server);
  return (await call(`/clients?${query}`)).body.clients;
}

/** Disconnects the publisher and all players. */
export function dropStream(stream) {
  return call(pathOf(stream), { method: "DELETE" });
}

/** Disconnects a client. */
export function dropClient({ id }) {
  return call(`/clients/${id}`, { method: "DELETE" });
}

/** Has a recorder `start` or `stop`. */
export function switchRecorder(stream, { id }, verb) {
  const path = `recorders/${encodeURIComponent(id || "-")}/${verb}`;
  return post(pathOf(stream, path));
}

/** Where the live picture of a stream comes from. */
export function previewOf({ application, name, server }) {
  return `preview/${[application, name].map(encodeURIComponent).join("/")}.mp4${server ? `?server=${server}` : ""}`;
}

function pathOf({ application, name, server }, ...below) {
  const parts = [application, name].map(encodeURIComponent).concat(below);
  return `/streams/${parts.join("/")}?server=${server}`;
}

function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function call(path, options = {}) {
  const response = await answerTo(path, options);
  const text = await response.text().catch(() => null);
  const body = parsed(text);
  if (!response.ok) throw new Problem(response.status, textOf(response.status, body));
  if (text === null || (text && !body)) throw new Problem(0, "The server’s answer was cut short");
  return { body, time: Date.parse(response.headers.get("date")) || Date.now() };
}

/** What the JSON says, or null. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function answerTo(path, options) {
  try {
    return await fetch(API + path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  } catch {
    throw new Problem(0, "The server does not answer");
  }
}

function textOf(status, body) {
  if (body?.detail) return body.detail;
  return status === 401 || status === 403 ? "The server does not allow this" : `The server answers with status ${status}`;
}
