// What is shown of the one stream that is looked at: its picture, what is wrong, what can be done,
// and all that is known.

import { Chart } from "./chart.js";
import { dropClient, dropStream, previewOf, switchRecorder } from "./data.js";
import { state } from "./describe.js";
import { copyOf, element, keyed, setAttribute, setText, show } from "./dom.js";
import { factsOf } from "./facts.js";
import { bitrate, count, duration, plural, size, span } from "./format.js";
import { Preview } from "./preview.js";
import { confirmed } from "./question.js";
import { INTERVAL_S, REMEMBERED } from "./streams.js";

/** How many answers the charts show: two minutes, or five, or all. */
const CHARTED = [60, 150, REMEMBERED];
/** Players that are listed. */
const PLAYERS = 100;

export class Detail {
  #place = document.getElementById("detail");
  #changed;
  #may = { drop: false, record: false };
  #stream = null;
  #preview = null;
  #charts = null;

  /** `changed()` is called when something was done that the server can tell of. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** What `rtmp_control` opens. */
  allow(may) {
    this.#may = may;
  }

  /** Shows this stream, and its picture as long as it is shown. */
  open(stream) {
    this.close();
    this.#stream = stream;
    this.#place.replaceChildren(copyOf("detail-template"));
    setText(this.#part("h2 .application"), `${stream.application}/`);
    setText(this.#part("h2 b"), stream.name);
    this.#part(".close").addEventListener("click", () => (location.hash = ""));
    const options = { sizes: CHARTED, secondsEach: INTERVAL_S };
    const charts = this.#part(".charts");
    this.#charts = {
      bits: new Chart(charts, "Bitrate in", { ...options, format: bitrate }),
      audience: new Chart(charts, "Viewers", { ...options, format: (number) => count(Math.round(number)) }),
    };
    const notice = this.#part(".notice");
    this.#preview = new Preview(this.#part("video"), (text) => {
      setText(notice, text);
      show(notice, text !== "");
    });
    show(this.#place, true);
    this.resume();
    this.update();
  }

  close() {
    this.#preview?.close();
    [this.#stream, this.#preview] = [null, null];
    show(this.#place, false);
    this.#place.replaceChildren();
  }

  /** Moves the keyboard here. */
  focus() {
    this.#place.focus({ preventScroll: true });
  }

  /** Stops the picture while nobody looks. */
  pause() {
    this.#preview?.close();
  }

  resume() {
    if (this.#stream) this.#preview.open(previewOf(this.#stream));
  }

  get stream() {
    return this.#stream;
  }

  /** Shows what has become known of the stream. */
  update() {
    const stream = this.#stream;
    setAttribute(this.#place, "data-status", stream.status);
    setText(this.#part(".title .state"), stream.warnings.length ? plural(stream.warnings.length, "warning") : state(stream));
    this.#charts.bits.draw(stream.bits);
    this.#charts.audience.draw(stream.audience);
    this.#updateWarnings(stream);
    this.#updateActions(stream);
    this.#updateFacts(stream);
    this.#updatePlayers(stream);
  }

  /** The stream is there no more. */
  end() {
    setAttribute(this.#place, "data-status", "gone");
    setText(this.#part(".title .state"), "The stream has ended");
    this.#preview.close();
    for (const button of this.#place.querySelectorAll(".actions button, td button")) button.disabled = true;
  }

  #part(selector) {
    return this.#place.querySelector(selector);
  }

  #updateWarnings({ warnings }) {
    const create = () => element("li", {}, element("i", { className: "mark" }), element("b"), element("span"));
    keyed(this.#part(".warnings"), warnings, (it) => it.hint, create, (item, { level, text, hint }) => {
      setAttribute(item, "data-status", level);
      setText(item.querySelector("b"), text);
      setText(item.querySelector("span"), hint);
    });
  }

  #updateActions(stream) {
    const { facts } = stream;
    const actions = [];
    if (this.#may.record && facts.publishing) actions.push(...(facts.recorders ?? []).map(recordAction));
    if (this.#may.drop && stream.publisher) actions.push(dropPublisher(stream));
    if (this.#may.drop && facts.nclients) actions.push(dropAll(stream));
    const create = () => {
      const button = element("button", { type: "button" });
      button.addEventListener("click", () => this.#do(button.action));
      return button;
    };
    keyed(this.#part(".actions"), actions, (it) => it.key, create, (button, action) => {
      button.action = action;
      setText(button, action.text);
      setAttribute(button, "class", action.style);
    });
  }

  async #do({ question, run, done }) {
    if (question && !(await confirmed(question))) return;
    const [stream, answer] = [this.#stream, this.#part(".answer")];
    setText(answer, "…");
    try {
      await run(stream);
      setText(answer, done);
    } catch (problem) {
      setText(answer, problem.message);
    }
    this.#changed();
  }

  #updateFacts(stream) {
    const lines = factsOf(stream).map(([name, text], index) => ({ name, text, key: `${name} ${index}` }));
    const create = ({ name }) => element("div", {}, element("dt", { textContent: name }), element("dd"));
    keyed(this.#part(".facts"), lines, (it) => it.key, create, (line, { text }) => setText(line.lastChild, text));
  }

  #updatePlayers({ clients }) {
    const players = clients.filter((it) => !it.publishing);
    players.sort((a, b) => (b.lag?.time ?? 0) - (a.lag?.time ?? 0) || a.id - b.id);
    show(this.#part(".clients"), players.length > 0);
    setText(this.#part(".clients h3"), `${plural(players.length, "player")} by RTMP`);
    const create = (player) => this.#playerRow(player);
    keyed(this.#part("tbody"), players.slice(0, PLAYERS), (it) => it.id, create, (row, it) => row.show(it));
    const more = players.length - PLAYERS;
    setText(this.#part(".more"), `and ${plural(more, "other")} that ${more === 1 ? "is" : "are"} less behind`);
    show(this.#part(".more"), more > 0);
  }

  #playerRow({ id, address, flash_ver: player }) {
    const button = element("button", { type: "button", textContent: "Drop", ariaLabel: `Drop ${address}` });
    const action = { run: () => dropClient({ id }), done: `${address} was disconnected` };
    button.addEventListener("click", () => this.#do(action));
    const [time, lag, skipped] = [0, 1, 2].map(() => element("td", { className: "value" }));
    const row = element("tr", {}, element("td", { textContent: address }), element("td", { textContent: player }),
      time, lag, skipped, element("td", {}, this.#may.drop ? button : ""));
    row.show = (it) => {
      setText(time, duration(it.time / 1000));
      setText(lag, it.lag ? span(it.lag.time) : "–");
      lag.title = it.lag ? `${size(it.lag.bytes)} in ${plural(it.lag.frames, "frame")}` : "";
      setText(skipped, count(it.dropped));
    };
    return row;
  }
}

function recordAction(recorder) {
  const isOn = recorder.state !== "stopped";
  const name = recorder.id ? ` “${recorder.id}”` : "";
  return {
    key: `record ${recorder.id}`,
    style: isOn ? "recording" : "record",
    text: `${isOn ? "Stop recording" : "Record"}${name}`,
    run: (stream) => switchRecorder(stream, recorder, isOn ? "stop" : "start"),
    done: isOn ? "The recording is complete" : "The recorder has started",
  };
}

function dropPublisher({ application, name, publisher }) {
  return {
    key: "drop publisher",
    style: "danger",
    text: "Drop publisher",
    question: {
      title: `Disconnect the publisher of ${application}/${name}?`,
      text: `${publisher.address} may connect again at once; players wait for it.`,
      button: "Disconnect",
    },
    run: () => dropClient(publisher),
    done: "The publisher was disconnected",
  };
}

function dropAll({ application, name }) {
  return {
    key: "drop all",
    style: "danger",
    text: "Drop all",
    question: {
      title: `Disconnect everybody from ${application}/${name}?`,
      text: "The publisher and all players by RTMP. They may connect again at once.",
      button: "Disconnect",
    },
    run: dropStream,
    done: "They were disconnected",
  };
}
