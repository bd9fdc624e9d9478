// What was read off a face: bars of all scores, and estimates on a scale.

import { colorOfAttribute, percent, scoresOf, wordsOf } from "./attributes.js";
import { make, setText } from "./dom.js";
import { FACE_COLOR, colorOf } from "./palette.js";

const MOST_BARS = 12; // of an attribute with many labels, the likeliest
const SCALES = { years: [0, 100] }; // an estimate in another unit is given in words alone

/** The readings of one face, which change from frame to frame. */
export class Readings {
  #views = new Map();

  constructor() {
    this.element = make("div", { class: "readings" });
  }

  /** Show these attributes, by name, and no others. */
  update(attributes) {
    for (const [name, view] of this.#views) {
      if (name in attributes) continue;
      view.element.remove();
      this.#views.delete(name);
    }
    for (const [name, attribute] of Object.entries(attributes)) {
      const key = shapeOf(attribute);
      let view = this.#views.get(name);
      if (view?.key !== key) {
        const old = view;
        view = scoresOf(attribute) ? new Bars(name, attribute) : new Scale(name, attribute);
        view.key = key;
        if (old) old.element.replaceWith(view.element);
        else this.element.append(view.element);
        this.#views.set(name, view);
      }
      view.update(attribute);
    }
  }
}

/** Return what must stay the same for a view to show an attribute. */
function shapeOf(attribute) {
  const scores = scoresOf(attribute);
  return scores ? labelsOf(scores).join("\n") : (attribute.unit ?? "vector");
}

/** Return the labels in their order; of many, the likeliest. */
function labelsOf(scores) {
  const labels = Object.keys(scores);
  if (labels.length <= MOST_BARS) return labels;
  return labels.sort((one, other) => scores[other] - scores[one]).slice(0, MOST_BARS);
}

/** A bar for each label of a classification. */
class Bars {
  #rows = new Map();

  constructor(name, attribute) {
    this.verdict = make("b");
    const list = make("ul", { class: "bars" });
    const all = Object.keys(scoresOf(attribute));
    for (const label of labelsOf(scoresOf(attribute))) {
      const fill = make("span", { class: "fill" });
      const share = make("span", { class: "share" });
      const color = attribute.candidates ? FACE_COLOR : colorOf(label, all);
      fill.style.setProperty("--color", color);
      const row = make("li", {},
        make("span", { class: "label", text: label }),
        make("span", { class: "rail", "aria-hidden": "true" }, fill), share);
      list.append(row);
      this.#rows.set(label, { row, fill, share });
    }
    this.element = make("section", { class: "reading" }, titleOf(name, this.verdict), list);
  }

  update(attribute) {
    setText(this.verdict, wordsOf(attribute));
    this.verdict.style.setProperty("--color", colorOfAttribute(attribute));
    const scores = scoresOf(attribute);
    const best = Math.max(...Object.values(scores));
    for (const [label, { row, fill, share }] of this.#rows) {
      fill.style.setProperty("--share", scores[label].toFixed(3));
      setText(share, percent(scores[label]));
      row.classList.toggle("best", scores[label] === best);
    }
  }
}

/** An estimate, with its standard deviation on a scale where there is one. */
class Scale {
  #range;

  constructor(name, attribute) {
    this.verdict = make("b");
    this.element = make("section", { class: "reading" }, titleOf(name, this.verdict));
    this.#range = SCALES[attribute.unit];
    if (!this.#range) return;
    const [low, high] = this.#range;
    this.line = make("div", { class: "scale", "aria-hidden": "true" },
      make("span", { class: "spread" }), make("span", { class: "value" }));
    const middle = (low + high) / 2;
    const ends = make("div", { class: "ends", "aria-hidden": "true" },
      ...[low, middle, high].map((one) => make("span", { text: String(one) })));
    this.element.append(this.line, ends);
  }

  update(attribute) {
    setText(this.verdict, wordsOf(attribute));
    if (!this.line) return;
    const [low, high] = this.#range;
    const place = (value) => Math.min(Math.max((value - low) / (high - low), 0), 1).toFixed(4);
    const std = attribute.std ?? 0;
    this.line.style.setProperty("--from", place(attribute.value - std));
    this.line.style.setProperty("--to", place(attribute.value + std));
    this.line.style.setProperty("--at", place(attribute.value));
  }
}

const titleOf = (name, verdict) =>
  make("h4", {}, make("span", { text: name }), verdict);
