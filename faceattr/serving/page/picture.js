// A picture on the page: its boxes, and a card for each of its faces.

import { describeFace, narrow, percent } from "./attributes.js";
import { Box } from "./boxes.js";
import { count, make, sentence, setText } from "./dom.js";
import { Readings } from "./readings.js";

const THUMBNAIL = 72; // pixels, of a screen with one pixel a pixel
const MARGIN = 0.15; // around a face on its thumbnail, as a share of its box
const LARGEST_ZOOM = 3; // of a small picture

/** A picture on the page: waiting, busy, read or failed. */
export class Picture {
  #owner;
  #abort = new AbortController();
  #actions = [];
  #address;
  #cards = [];

  /**
   * @param {File} file
   * @param {{attributes: Set<string>, retry: Function, remove: Function}} owner Says which attributes
   *     are shown, and reads the picture again or removes it.
   */
  constructor(file, owner) {
    this.file = file;
    this.#owner = owner;
    this.#address = URL.createObjectURL(file);
    this.name = file.name || "pasted picture";
    this.image = make("img", { alt: this.name, src: this.#address });
    this.image.addEventListener("load", () => this.#fit(this.image.naturalWidth, this.image.naturalHeight));
    this.image.addEventListener("error", () => this.view.classList.add("unseen-picture"));
    this.boxes = make("div", { class: "boxes", role: "group" });
    this.note = make("p", { class: "meta" });
    this.says = make("div", { class: "says" });
    this.list = make("ol", { class: "faces", "aria-label": `Faces on ${this.name}` });
    this.view = make("div", { class: "view" }, this.image, this.boxes);
    this.element = make("article", { class: "result", "aria-label": this.name },
      make("header", {},
        make("h2", { text: this.name }), this.note,
        make("button", {
          type: "button", class: "quiet remove", "aria-label": `Remove ${this.name}`, text: "Remove",
          onclick: () => owner.remove(this),
        })),
      make("div", { class: "frame" }, this.view), make("div", { class: "told" }, this.says, this.list));
    this.boxes.addEventListener("keydown", (event) => this.#move(event));
    this.wait();
  }

  get signal() {
    return this.#abort.signal;
  }

  wait() {
    this.#become("waiting", "Waits for its turn …");
  }

  begin(actions) {
    this.#actions = actions;
    this.error = null;
    this.#become("busy", "Looking for faces …");
  }

  finish(answer) {
    this.answer = answer;
    if (answer.error) {
      this.fail(new Error(answer.error.error));
      return;
    }
    this.#become("read");
    this.#fit(answer.width, answer.height);
    this.show();
  }

  fail(error) {
    this.answer = null;
    this.error = error;
    this.#clear();
    this.#become("failed");
    this.says.replaceChildren(
      make("p", { class: "error", role: "alert", text: sentence(error.message) }),
      make("button", { type: "button", text: "Try again", onclick: () => this.#owner.retry(this) }));
    setText(this.note, "not read");
  }

  forget() {
    this.#abort.abort();
    URL.revokeObjectURL(this.#address);
    this.element.remove();
  }

  /** Whether everything that is chosen was read. */
  has(choice) {
    return choice.actions.every((name) => this.#actions.includes(name));
  }

  /** Return the answer with the attributes that are shown. */
  describe() {
    if (this.error) return { name: this.name, error: { error: this.error.message } };
    return { ...this.answer, name: this.name, faces: this.#faces() };
  }

  /** Show what was read, of the attributes that are chosen. */
  show() {
    if (this.state !== "read") return;
    const faces = this.#faces();
    this.#clear();
    const { width, height } = this.answer;
    setText(this.note, `${width} × ${height} · ${count(faces.length, "face")}`);
    this.boxes.setAttribute("aria-label",
      `${count(faces.length, "face")} on ${this.name}; arrow keys go from face to face`);
    faces.forEach((face, index) => this.#addFace(face, index, faces.length));
    if (faces.length) this.says.replaceChildren();
    else {
      this.says.replaceChildren(make("p", {}, make("b", { text: "No face was found." }),
        " Small, covered and turned faces are easily missed; a larger picture helps."));
    }
    this.#drawThumbnails();
  }

  #faces() {
    return this.answer.faces.map((face) => narrow(face, this.#owner.attributes));
  }

  #addFace(face, index, total) {
    const number = String(index + 1);
    const readings = new Readings();
    readings.update(face.attributes);
    const thumbnail = make("canvas", { "aria-hidden": "true" });
    const card = make("li", { class: "card" },
      make("header", {}, thumbnail,
        make("div", {}, make("h3", { text: `Face ${number}` }),
          make("p", { class: "meta", text: `confidence ${percent(face.confidence)}` }))),
      readings.element);
    const box = new Box("button", {
      type: "button",
      tabindex: index ? "-1" : "0",
      "aria-label": `Face ${number} of ${total}: ${describeFace(face)}`,
      onclick: () => card.scrollIntoView({ block: "nearest" }),
    });
    box.update(face, this.answer, { number });
    const light = (isLit) => {
      card.classList.toggle("lit", isLit);
      box.element.classList.toggle("lit", isLit);
    };
    for (const element of [card, box.element]) {
      element.addEventListener("pointerenter", () => light(true));
      element.addEventListener("pointerleave", () => light(false));
    }
    box.element.addEventListener("focus", () => light(true));
    box.element.addEventListener("blur", () => light(false));
    this.boxes.append(box.element);
    this.list.append(card);
    this.#cards.push({ face, thumbnail });
  }

  #move(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const boxes = [...this.boxes.children];
    const here = boxes.indexOf(document.activeElement);
    if (!(event.key in steps) || here < 0) return;
    event.preventDefault();
    const next = boxes[(here + steps[event.key] + boxes.length) % boxes.length];
    for (const box of boxes) box.tabIndex = box === next ? 0 : -1;
    next.focus();
  }

  async #drawThumbnails() {
    try {
      await this.image.decode();
    } catch {
      return; // the server reads more formats than a browser shows
    }
    const scale = this.image.naturalWidth / (this.answer?.width ?? 1);
    for (const { face, thumbnail } of this.#cards) drawFace(thumbnail, this.image, face, scale);
  }

  #clear() {
    this.boxes.replaceChildren();
    this.list.replaceChildren();
    this.#cards = [];
  }

  #fit(width, height) {
    this.view.style.setProperty("--ratio", (width / height).toFixed(5));
    this.view.style.setProperty("--largest", `${LARGEST_ZOOM * width}px`);
  }

  #become(state, words) {
    this.state = state;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(["waiting", "busy"].includes(state)));
    if (words) setText(this.note, words);
  }
}

function drawFace(canvas, image, face, scale) {
  const [x1, y1, x2, y2] = face.bbox.map((value) => value * scale);
  const { naturalWidth, naturalHeight } = image;
  const wanted = Math.max(x2 - x1, y2 - y1) * (1 + 2 * MARGIN);
  const side = Math.min(wanted, naturalWidth, naturalHeight);
  const inside = (middle, size) => Math.min(Math.max(middle - side / 2, 0), size - side);
  const pixels = THUMBNAIL * Math.min(devicePixelRatio || 1, 2);
  canvas.width = canvas.height = pixels;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const left = inside((x1 + x2) / 2, naturalWidth);
  const top = inside((y1 + y2) / 2, naturalHeight);
  context.drawImage(image, left, top, side, side, 0, 0, pixels, pixels);
}
