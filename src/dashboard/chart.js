// Lines of values over time, in SVG.

import { element, setAttribute, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 60;

/** The newest values of something, each as old as its place from the end. */
export class History {
  #values = [];
  #size;

  constructor(size) {
    this.#size = size;
  }

  push(value) {
    this.#values.push(value);
    // Cut seldom, so that it costs nothing.
    if (this.#values.length > this.#size * 2) this.#values = this.#values.slice(-this.#size);
  }

  /** Up to so many, the newest last. */
  last(size = this.#size) {
    return this.#values.slice(-size);
  }
}

/** A small line without numbers, which are beside it. */
export class Sparkline {
  #size;
  #line = path("line");
  #area = path("area");

  constructor(parent, size) {
    this.#size = size;
    parent.append(drawing(this.#area, this.#line));
  }

  draw(history) {
    const values = history.last(this.#size);
    const line = lineOf(values, Math.max(...values, 1), this.#size);
    setAttribute(this.#line, "d", line);
    setAttribute(this.#area, "d", areaOf(line));
  }
}

/** A line with its name, its scale, and its value where the pointer is. It grows with its history. */
export class Chart {
  #sizes;
  #size = 0;
  #format;
  #secondsEach;
  #line = path("line");
  #area = path("area");
  #pointer = path("pointer");
  #svg = drawing(this.#area, this.#line, this.#pointer);
  #top = element("span", { className: "top" });
  #value = element("span", { className: "value" });
  #begin = element("span");
  #values = [];
  #name;

  /** Shows as many values as the smallest of `sizes` that holds all. */
  constructor(parent, name, { sizes, secondsEach, format }) {
    [this.#sizes, this.#secondsEach, this.#format, this.#name] = [sizes, secondsEach, format, name];
    const plot = element("div", { className: "plot" }, this.#svg, this.#top);
    const title = element("figcaption", {}, element("span", { textContent: name }), this.#value);
    parent.append(element("figure", {}, title, plot, element("p", {}, this.#begin, "now")));
    plot.addEventListener("pointermove", (event) => this.#point(event));
    plot.addEventListener("pointerleave", () => this.#tell());
  }

  draw(history) {
    const all = history.last();
    this.#size = this.#sizes.find((size) => size >= all.length) ?? this.#sizes.at(-1);
    this.#values = all.slice(-this.#size);
    setText(this.#begin, `${(this.#size * this.#secondsEach) / 60} min ago`);
    const top = roundUp(Math.max(...this.#values, 1));
    const line = lineOf(this.#values, top, this.#size);
    setAttribute(this.#line, "d", line);
    setAttribute(this.#area, "d", areaOf(line));
    setText(this.#top, this.#format(top));
    if (!this.#pointer.hasAttribute("d")) this.#tell();
  }

  #tell() {
    this.#pointer.removeAttribute("d");
    const now = this.#values.at(-1) ?? 0;
    setText(this.#value, this.#format(now));
    this.#svg.setAttribute("role", "img");
    const [low, high] = [Math.min(...this.#values, now), Math.max(...this.#values, now)];
    const label = `${this.#name}: now ${this.#format(now)}, from ${this.#format(low)} to ${this.#format(high)}`;
    setAttribute(this.#svg, "aria-label", label);
  }

  #point(event) {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const fromEnd = Math.round((1 - (event.clientX - left) / width) * (this.#size - 1));
    const value = this.#values.at(-1 - fromEnd);
    if (value === undefined) return this.#tell();
    const x = xOf(this.#size - 1 - fromEnd, this.#size);
    this.#pointer.setAttribute("d", `M${x} 0V${HEIGHT}`);
    const ago = fromEnd * this.#secondsEach;
    setText(this.#value, `${this.#format(value)}, ${ago ? `${ago} s ago` : "now"}`);
  }
}

function drawing(...paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(...paths);
  return svg;
}

function path(name) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", name);
  path.setAttribute("vector-effect", "non-scaling-stroke");
  return path;
}

function xOf(index, size) {
  return Math.round((index / (size - 1)) * WIDTH * 10) / 10;
}

/** The newest value is at the right edge, and half a pixel stays free above and below. */
function lineOf(values, top, size) {
  const first = size - values.length;
  const point = (value, index) => {
    const y = HEIGHT - 1 - (value / top) * (HEIGHT - 3);
    return `${xOf(first + index, size)} ${Math.round(y * 10) / 10}`;
  };
  return values.length > 1 ? `M${values.map(point).join("L")}` : "";
}

function areaOf(line) {
  return line && `${line}V${HEIGHT}H${line.slice(1, line.indexOf(" "))}Z`;
}

/** The next of 1, 2, 5, 10, 20, 50 and so on. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}
