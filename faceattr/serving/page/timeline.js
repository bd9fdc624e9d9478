// What was read off one track over the last minute, a lane for each attribute.

import { UNCERTAIN, colorOfAttribute, percent, scoresOf } from "./attributes.js";
import { make, setText } from "./dom.js";

export const SECONDS = 60; // that a timeline shows
const STRIP = 12; // pixels of a lane of labels,
const CURVE = 34; // and of one of numbers
const GAP = 1.5; // seconds without a reading that stay empty
const PAD = 2; // of the least number, on both ends of a lane of numbers

export class Timeline {
  #lanes = new Map();

  constructor() {
    this.element = make("div", { class: "timeline" });
  }

  /** Remember what was read at a time, in seconds. */
  add(time, attributes) {
    for (const [name, attribute] of Object.entries(attributes)) {
      if (attribute.vector) continue;
      if (!this.#lanes.has(name)) {
        const lane = scoresOf(attribute) ? new Strip(name) : new Curve(name);
        this.#lanes.set(name, lane);
        this.element.append(lane.element);
      }
      this.#lanes.get(name).add(time, attribute);
    }
  }

  /** Draw the minute before a time. */
  draw(now) {
    for (const lane of this.#lanes.values()) lane.draw(now);
  }
}

class Lane {
  points = []; // {time, …}, the oldest first

  constructor(name, height) {
    this.height = height;
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.canvas.style.setProperty("height", `${height}px`);
    this.words = make("p", { class: "meta" });
    this.element = make("div", { class: "lane" },
      make("p", { class: "meta", text: name }), this.canvas, this.words);
  }

  /** Forget what is too old, and return a context on which a pixel is one of the page. */
  begin(now) {
    while (this.points.length && this.points[0].time < now - SECONDS - GAP) this.points.shift();
    const ratio = devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = width * ratio;
    if (this.canvas.height !== Math.round(this.height * ratio)) this.canvas.height = this.height * ratio;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, this.height);
    return { context, place: (time) => width * (1 - (now - time) / SECONDS) };
  }

  /** Return until when a point stands: to the next one, or a moment if that is far. */
  end(index, now) {
    const { time } = this.points[index];
    return Math.min(this.points[index + 1]?.time ?? now, time + GAP);
  }
}

/** Colors of labels. */
class Strip extends Lane {
  constructor(name) {
    super(name, STRIP);
  }

  add(time, attribute) {
    const color = colorOfAttribute(attribute);
    this.points.push({ time, color, label: attribute.label ?? UNCERTAIN });
  }

  draw(now) {
    const { context, place } = this.begin(now);
    const seconds = new Map();
    this.points.forEach(({ time, color, label }, index) => {
      const end = this.end(index, now);
      context.fillStyle = color;
      const from = Math.floor(place(time)); // whole pixels, or there are seams between the points
      context.fillRect(from, 0, Math.ceil(place(end)) - from, this.height);
      seconds.set(label, (seconds.get(label) ?? 0) + end - time);
    });
    const total = [...seconds.values()].reduce((sum, one) => sum + one, 0);
    const ranked = [...seconds].sort((one, other) => other[1] - one[1]).slice(0, 3);
    setText(this.words, total ? ranked.map(([label, own]) => `${label} ${percent(own / total)}`).join(", ") : "");
  }
}

/** A line of numbers, with their standard deviation around it. */
class Curve extends Lane {
  constructor(name) {
    super(name, CURVE);
  }

  add(time, { value, std, unit }) {
    this.points.push({ time, value, std: std ?? 0, unit });
  }

  draw(now) {
    const { context, place } = this.begin(now);
    if (!this.points.length) return;
    const low = Math.min(...this.points.map((one) => one.value - one.std)) - PAD;
    const high = Math.max(...this.points.map((one) => one.value + one.std)) + PAD;
    const rise = (value) => this.height * (1 - (value - low) / (high - low));
    const { color } = getComputedStyle(this.canvas);
    context.fillStyle = context.strokeStyle = color;
    this.points.forEach(({ time, value, std }, index) => {
      const from = Math.floor(place(time));
      const width = Math.floor(place(this.end(index, now))) - from;
      context.globalAlpha = 0.22;
      context.fillRect(from, rise(value + std), width, rise(value - std) - rise(value + std));
      context.globalAlpha = 1;
      context.fillRect(from, rise(value) - 1, width, 2);
    });
    const values = this.points.map((one) => one.value);
    const [least, most] = [Math.min(...values).toFixed(0), Math.max(...values).toFixed(0)];
    setText(this.words, `${least === most ? least : `${least} to ${most}`} ${this.points[0].unit}`);
  }
}
