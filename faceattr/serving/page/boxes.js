// Boxes over a picture, placed in shares of its sides, so that they fit at any size.

import { colorOfAttribute, leadingOf, wordsOf } from "./attributes.js";
import { make, setText } from "./dom.js";
import { FACE_COLOR, inkOn, trackColor } from "./palette.js";

/** The box of a face, with its number and what is read off it. */
export class Box {
  #number = make("span", { class: "number" });
  #label = make("span", { class: "label" });

  /**
   * @param {string} tag Of the element: a button where it can be chosen.
   * @param {Object<string, unknown>} properties As in `make`.
   */
  constructor(tag = "div", properties = {}) {
    const plate = make("span", { class: "plate", "aria-hidden": "true" }, this.#number, this.#label);
    this.element = make(tag, { class: "box", ...properties }, plate);
  }

  /**
   * Show a face.
   * @param {object} face As the server describes it.
   * @param {{width: number, height: number}} size Of its picture.
   * @param {{number: string, mirrored?: boolean}} options
   */
  update(face, { width, height }, { number, mirrored = false }) {
    const [x1, y1, x2, y2] = face.bbox;
    const { style } = this.element;
    const left = (mirrored ? width - x2 : x1) / width;
    style.setProperty("left", share(left));
    style.setProperty("top", share(y1 / height));
    style.setProperty("width", share((x2 - x1) / width));
    style.setProperty("height", share((y2 - y1) / height));
    this.element.classList.toggle("at-top", y1 / height < 0.09);
    this.element.classList.toggle("at-right", left > 0.6);
    const leading = leadingOf(face.attributes)?.[1];
    const plain = leading ? colorOfAttribute(leading) : FACE_COLOR;
    const color = face.track_id === null ? plain : trackColor(face.track_id);
    style.setProperty("--box", color);
    style.setProperty("--on-box", inkOn(color));
    style.setProperty("--label", plain);
    style.setProperty("--on-label", inkOn(plain));
    setText(this.#number, number);
    setText(this.#label, leading ? wordsOf(leading) : "");
  }
}

const share = (part) => `${(100 * part).toFixed(3)}%`;
