// The table of streams. Of thousands only the rows that can be seen are in the document; they are
// reused by stream, and change in place.

import { Sparkline } from "./chart.js";
import { audio, state, video } from "./describe.js";
import { copyOf, keyed, setAttribute, setText, show } from "./dom.js";
import { bitrate, count, duration } from "./format.js";

/** Rows that are kept above and below what is seen. */
const MARGIN = 6;
/** Answers that a row's line shows: two minutes. */
const LINE = 60;

const SEVERITY = { bad: 0, warn: 1, live: 2, idle: 3 };
const names = new Intl.Collator("en", { numeric: true });

/** What the streams are put in order by, the first being the one on top. */
const ORDERS = {
  status: (a, b) => SEVERITY[a.status] - SEVERITY[b.status],
  name: byName,
  in: (a, b) => b.facts.bw_in - a.facts.bw_in,
  out: (a, b) => b.facts.bw_out - a.facts.bw_out,
  viewers: (a, b) => b.viewers - a.viewers,
  time: (a, b) => b.facts.time - a.facts.time,
};

function byName(a, b) {
  return names.compare(a.application, b.application) || names.compare(a.name, b.name);
}

export class List {
  #streams = [];
  #shown = [];
  #order = { by: "status", reversed: false };
  #selected = null;
  #places = {
    table: document.getElementById("table"),
    rows: document.getElementById("rows"),
    nothing: document.getElementById("nothing"),
    filter: document.getElementById("filter"),
    only: document.querySelector("#only input"),
    count: document.querySelector("#only .count"),
    order: document.querySelector("#order select"),
    heads: [...document.querySelectorAll("#head [data-order]")],
  };

  constructor() {
    const { filter, only, order, nothing, heads } = this.#places;
    const again = () => this.#arrange(true);
    filter.addEventListener("input", again);
    only.addEventListener("change", again);
    order.addEventListener("change", () => this.#sortBy(order.value));
    for (const head of heads) head.addEventListener("click", () => this.#sortBy(head.dataset.order));
    nothing.querySelector("button").addEventListener("click", () => {
      [filter.value, only.checked] = ["", false];
      again();
      filter.focus();
    });
    const draw = () => requestAnimationFrame(() => this.#draw());
    addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(draw).observe(this.#places.table);
    this.#places.rows.addEventListener("keydown", (event) => this.#move(event));
    this.#showOrder();
  }

  /** Shows these streams, of which one may be selected. */
  update(streams, selected) {
    [this.#streams, this.#selected] = [streams, selected];
    const ill = streams.filter((it) => it.warnings.length).length;
    setText(this.#places.count, count(ill));
    setAttribute(this.#places.count, "data-any", String(ill > 0));
    this.#arrange(false);
  }

  #sortBy(by) {
    const isSame = this.#order.by === by;
    this.#order = { by, reversed: isSame && !this.#order.reversed };
    this.#showOrder();
    this.#arrange(true);
  }

  #showOrder() {
    const { by, reversed } = this.#order;
    this.#places.order.value = by;
    const isAscending = (by === "name" || by === "status") !== reversed;
    for (const head of this.#places.heads) {
      const sort = head.dataset.order === by ? (isAscending ? "ascending" : "descending") : "none";
      head.parentElement.setAttribute("aria-sort", sort);
    }
  }

  /** Chooses and sorts. What is under the pointer stays there: then only what is new is put last. */
  #arrange(isAsked) {
    const { filter, only, table, rows, nothing } = this.#places;
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isWanted = (it) => (!only.checked || it.warnings.length) && words.every((word) => it.matches(word));
    const wanted = this.#streams.filter(isWanted);
    const isHeld = !isAsked && (rows.matches(":hover") || rows.contains(document.activeElement));
    this.#shown = isHeld ? this.#held(wanted) : this.#sorted(wanted);
    show(table, wanted.length > 0);
    show(nothing, this.#streams.length > 0 && !wanted.length);
    setAttribute(table, "aria-rowcount", String(wanted.length + 1));
    this.#draw();
  }

  #sorted(streams) {
    const order = ORDERS[this.#order.by];
    const sign = this.#order.reversed ? -1 : 1;
    return streams.sort((a, b) => sign * order(a, b) || byName(a, b));
  }

  #held(streams) {
    const wanted = new Set(streams);
    const known = this.#shown.filter((it) => wanted.delete(it));
    return known.concat(...wanted);
  }

  #draw() {
    const { rows } = this.#places;
    const height = parseFloat(getComputedStyle(rows).getPropertyValue("--row"));
    const top = -rows.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - MARGIN);
    const end = Math.max(first, Math.ceil((top + innerHeight) / height) + MARGIN);
    const seen = this.#shown.slice(first, end);
    rows.style.height = `${this.#shown.length * height}px`;
    rows.style.paddingTop = `${Math.min(first, this.#shown.length) * height}px`;
    keyed(rows, seen, (it) => it.key, createRow, (row, it) => {
      setAttribute(row, "aria-rowindex", String(first + seen.indexOf(it) + 2));
      row.show(it, it.key === this.#selected);
    });
  }

  /** The arrow keys go from row to row. */
  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = step && event.target.closest(".row");
    const next = step > 0 ? row?.nextElementSibling : row?.previousElementSibling;
    if (!next) return;
    event.preventDefault();
    const link = next.querySelector("a");
    link.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
}

function createRow(stream) {
  const row = copyOf("row-template").firstElementChild;
  const part = (selector) => row.querySelector(selector);
  const line = new Sparkline(part(".in .spark"), LINE);
  const texts = {
    video: part(".video"), audio: part(".audio"), in: part(".in .value"), out: part(".out"),
    viewers: part(".viewers"), time: part(".time"), state: part(".state"),
  };
  setText(part(".application"), `${stream.application}/`);
  setText(part(".name b"), stream.name);
  part("a").href = addressOf(stream);
  part("a").title = `${stream.application}/${stream.name}`;

  row.show = (stream, isSelected) => {
    const { facts } = stream;
    setAttribute(row, "data-status", stream.status);
    if (isSelected) setAttribute(part("a"), "aria-current", "true");
    else part("a").removeAttribute("aria-current");
    setText(texts.state, state(stream));
    setText(texts.video, video(facts));
    setText(texts.audio, audio(facts));
    setText(texts.in, bitrate(facts.bw_in));
    setText(texts.out, facts.bw_out ? bitrate(facts.bw_out) : "–");
    setText(texts.viewers, count(stream.viewers));
    setText(texts.time, facts.publishing ? duration(facts.time / 1000) : "–");
    line.draw(stream.bits);
  };
  return row;
}

/** The part of the page's address that says which stream is looked at. */
export function addressOf({ server, application, name }) {
  return `#${[server, application, name].map(encodeURIComponent).join("/")}`;
}
