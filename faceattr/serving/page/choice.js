// Which analyzers are switched on, by switches that pictures and the live view share.

import { make } from "./dom.js";

/** Tells listeners of "change". */
export class Choice extends EventTarget {
  #analyzers = [];
  #off = new Set();

  /** Show a switch for each analyzer that the server has loaded. */
  show(fieldset, analyzers) {
    this.#analyzers = analyzers;
    fieldset.querySelectorAll("label").forEach((label) => label.remove());
    for (const analyzer of analyzers) {
      const input = make("input", {
        type: "checkbox", role: "switch", name: analyzer.name, checked: !this.#off.has(analyzer.name),
      });
      input.addEventListener("change", () => {
        if (input.checked) this.#off.delete(analyzer.name);
        else this.#off.add(analyzer.name);
        this.dispatchEvent(new Event("change"));
      });
      fieldset.append(make("label", { class: "switch", title: describe(analyzer) },
        input, make("span", { text: analyzer.name })));
    }
    fieldset.hidden = false;
  }

  /** Names of the analyzers that are on, for `?actions=`. */
  get actions() {
    return this.#on.map((one) => one.name);
  }

  /** Names of the attributes that they read. */
  get attributes() {
    return new Set(this.#on.map((one) => one.attribute));
  }

  get #on() {
    return this.#analyzers.filter((one) => !this.#off.has(one.name));
  }
}

function describe({ form, labels, unit }) {
  if (labels) return labels.join(", ");
  if (unit) return `in ${unit}`;
  return form === "names" ? "who it is, of the people that the server knows" : "a list of numbers";
}
