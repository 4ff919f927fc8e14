// The streams as the page knows them: what was told of each last, and what it was before.

import { History } from "./chart.js";
import { SKIPPING_MS, warningsOf } from "./health.js";

/** Seconds from one answer to the next. */
export const INTERVAL_S = 2;
/** Answers that are remembered: ten minutes. */
export const REMEMBERED = 300;

/** One stream. */
class Stream {
  key;
  server;
  application;
  name;
  /** What the API told last. */
  facts;
  /** The history of bits a second that come, and of viewers. */
  bits = new History(REMEMBERED);
  audience = new History(REMEMBERED);
  /** For how long nothing has come of its publisher. */
  silentMs = 0;
  /** Frames that players skipped of late. */
  skipping = { frames: 0, past: [] };
  /** The server's clock when it told this, in milliseconds since 1970. */
  serverTime = 0;
  warnings = [];
  /** Its clients, if they were asked for. */
  clients = [];

  constructor(key, { server, application, name }) {
    Object.assign(this, { key, server, application, name });
  }

  update(facts, now, serverTime) {
    const before = this.facts;
    [this.facts, this.serverTime] = [facts, serverTime];
    this.bits.push(facts.bw_in);
    this.audience.push(this.viewers);
    this.#listen(before, now);
    this.#countSkipped(now);
    this.warnings = warningsOf(this);
  }

  #lastBytes = 0;
  #listen(before, now) {
    const isNew = !before?.publishing || before.bytes_in !== this.facts.bytes_in;
    if (isNew || !this.facts.publishing) this.#lastBytes = now;
    this.silentMs = now - this.#lastBytes;
  }

  #countSkipped(now) {
    const { past } = this.skipping;
    past.push({ now, skipped: this.facts.skipped ?? 0 });
    while (now - past[0].now > SKIPPING_MS) past.shift();
    this.skipping.frames = Math.max(0, past.at(-1).skipped - past[0].skipped);
  }

  get rtmpViewers() {
    return Math.max(0, this.facts.nclients - (this.facts.publishing ? 1 : 0));
  }

  get hlsViewers() {
    return this.facts.hls_viewers ?? 0;
  }

  get viewers() {
    return this.rtmpViewers + this.hlsViewers;
  }

  /** The client that publishes it, if its clients were asked for. */
  get publisher() {
    return this.clients.find((it) => it.publishing);
  }

  /** Whether its name, or an address of its clients, holds the word, which is in small letters. */
  matches(word) {
    const has = (text) => text?.toLowerCase().includes(word);
    return has(`${this.application}/${this.name}`) || has(this.facts.publisher?.address);
  }

  /** `bad`, `warn`, `live`, or `idle` if there are players but no publisher. */
  get status() {
    return this.warnings[0]?.level ?? (this.facts.publishing ? "live" : "idle");
  }
}

/** All streams, and what they are together. */
export class Streams {
  all = new Map();
  in = new History(REMEMBERED);
  out = new History(REMEMBERED);

  /** Takes in what the server has told, by the page's clock and by the server's, in milliseconds. */
  update(list, now, serverTime) {
    const present = new Set();
    for (const facts of list) {
      const key = JSON.stringify([facts.server, facts.application, facts.name]);
      present.add(key);
      let stream = this.all.get(key);
      if (!stream) this.all.set(key, (stream = new Stream(key, facts)));
      stream.update(facts, now, serverTime);
    }
    for (const key of this.all.keys()) if (!present.has(key)) this.all.delete(key);
  }

  /** The sum of what `of(stream)` gives. */
  sum(of) {
    let sum = 0;
    for (const stream of this.all.values()) sum += of(stream);
    return sum;
  }
}
