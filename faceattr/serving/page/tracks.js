// A card for each face that is followed: what is read off it now, and over the last minute.

import { announce, byId, count, make, setText } from "./dom.js";
import { trackColor } from "./palette.js";
import { Readings } from "./readings.js";
import { SECONDS, Timeline } from "./timeline.js";

const REDRAW = 0.125; // seconds between two looks of the cards, which people read
const SPEAK = 4; // seconds between two things that a screen reader is told
const GONE = 0.6; // seconds without its face after which a track is shown as gone

export class Tracks {
  #cards = new Map();
  #drawn = -Infinity;
  #spoken = -Infinity;
  #said = "";

  /** Show the faces of a frame, at a time in seconds. */
  update(faces, time) {
    for (const face of faces) {
      if (face.track_id === null) continue;
      const card = this.#cards.get(face.track_id) ?? this.#open(face.track_id, time);
      card.seen = time;
      card.face = face;
    }
    if (time - this.#drawn < REDRAW) return;
    this.#drawn = time;
    for (const [id, card] of this.#cards) {
      if (time - card.seen > SECONDS) {
        card.element.remove();
        this.#cards.delete(id);
      } else {
        card.update(time);
      }
    }
    this.#tell(time);
  }

  /** Forget all tracks. */
  clear() {
    for (const card of this.#cards.values()) card.element.remove();
    this.#cards.clear();
    this.#drawn = this.#spoken = -Infinity;
    this.#said = "";
  }

  #open(id, time) {
    const card = new Card(id, time);
    this.#cards.set(id, card);
    byId("tracks").append(card.element);
    return card;
  }

  #tell(time) {
    const here = [...this.#cards.values()].filter((card) => !card.isGone);
    const words = here.map((card) => card.words).filter(Boolean).join("; ");
    const text = here.length ? `${count(here.length, "face")}. ${words}` : "No face";
    setText(byId("live-summary"), `${count(here.length, "face")} now`);
    if (text === this.#said || time - this.#spoken < SPEAK) return;
    this.#said = text;
    this.#spoken = time;
    announce(text);
  }
}

class Card {
  #readings = new Readings();
  #timeline = new Timeline();
  #note = make("p", { class: "meta" });

  constructor(id, time) {
    this.id = id;
    this.begun = time;
    const dot = make("span", { class: "dot", "aria-hidden": "true" });
    dot.style.setProperty("--color", trackColor(id));
    this.element = make("li", { class: "card track" },
      make("header", {}, dot, make("h3", { text: `Face #${id}` }), this.#note),
      this.#readings.element,
      make("div", { class: "minute" }, make("h4", { text: "the last minute" }), this.#timeline.element));
  }

  /** Labels alone, as their probabilities change with every frame. */
  get words() {
    const labels = Object.values(this.face.attributes).map((one) => one.label).filter(Boolean);
    return labels.length ? `Number ${this.id}: ${labels.join(", ")}` : "";
  }

  update(time) {
    this.isGone = time - this.seen > GONE;
    this.element.classList.toggle("gone", this.isGone);
    const seconds = Math.round(time - (this.isGone ? this.seen : this.begun));
    setText(this.#note, this.isGone ? `gone for ${seconds} s` : `here for ${seconds} s`);
    if (!this.isGone) {
      this.#readings.update(this.face.attributes);
      this.#timeline.add(time, this.face.attributes);
    }
    this.#timeline.draw(time);
  }
}
