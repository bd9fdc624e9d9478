// Pictures that are dropped, pasted or chosen, and what is read off them.

import { announce, byId, count, setText } from "./dom.js";
import { picturesToCsv, picturesToJson, save } from "./downloads.js";
import { Picture } from "./picture.js";

const AT_ONCE = 2; // pictures on their way to the server

export class Pictures {
  #server;
  #choice;
  #items = [];
  #isReady = false;
  #busy = 0;
  #maxBody = Infinity;

  /**
   * @param {import("./server.js").Server} server
   * @param {import("./choice.js").Choice} choice What is to be read.
   */
  constructor(server, choice) {
    this.#server = server;
    this.#choice = choice;
    choice.addEventListener("change", () => this.#readAgain());
    this.#listen();
  }

  /** Whether the server may be asked; the pictures that wait are then read. */
  set isReady(isReady) {
    this.#isReady = isReady;
    this.#readNext();
  }

  /** The largest body that the server takes, in bytes. */
  set maxBody(bytes) {
    this.#maxBody = bytes;
  }

  /** Called when the server asks for an API key. */
  onKeyNeeded = () => {};

  /** Add files; what is no picture is refused by the server, with its reason. */
  add(files) {
    const items = files.map((file) => new Picture(file, this));
    if (!items.length) return;
    this.#items.push(...items);
    byId("results").prepend(...items.map((item) => item.element));
    announce(`${count(items.length, "picture")} added`);
    this.#summarize();
    this.#readNext();
  }

  remove(item) {
    item.forget();
    this.#items = this.#items.filter((one) => one !== item);
    this.#summarize();
    byId("choose").focus();
  }

  /** Read a picture again. */
  retry(item) {
    item.wait();
    this.#readNext();
  }

  get attributes() {
    return this.#choice.attributes;
  }

  #listen() {
    const files = byId("files");
    byId("choose").addEventListener("click", () => files.click());
    files.addEventListener("change", () => {
      this.add([...files.files]);
      files.value = ""; // or the same file could not be chosen again
    });
    byId("clear").addEventListener("click", () => {
      for (const item of [...this.#items]) this.remove(item);
      announce("All pictures are removed");
    });
    byId("pictures-json").addEventListener("click", () =>
      save("faceattr.json", "application/json", picturesToJson(this.#read())));
    byId("pictures-csv").addEventListener("click", () =>
      save("faceattr.csv", "text/csv", picturesToCsv(this.#read())));
  }

  /** Return what was read, the pictures in the order in which they were added. */
  #read() {
    return this.#items.filter((item) => item.answer || item.error).map((item) => item.describe());
  }

  /** Read attributes that were switched on and are missing; hide those that are switched off. */
  #readAgain() {
    for (const item of this.#items) {
      if (item.state === "read" && !item.has(this.#choice)) item.wait();
      else item.show();
    }
    this.#readNext();
  }

  async #readNext() {
    if (!this.#isReady || this.#busy >= AT_ONCE) return;
    const item = this.#items.find((one) => one.state === "waiting");
    if (!item) return;
    this.#busy += 1;
    const reading = this.#readOne(item); // the item is not waiting any more
    this.#readNext();
    await reading;
    this.#busy -= 1;
    this.#summarize();
    this.#readNext();
  }

  async #readOne(item) {
    const { actions } = this.#choice;
    item.begin(actions);
    try {
      if (item.file.size > this.#maxBody) {
        const most = Math.floor(this.#maxBody / 1e6);
        throw new Error(`The picture has ${megabytes(item.file.size)} MB; this server takes ${most}.`);
      }
      item.finish(await this.#server.analyze(item.file, actions, item.signal));
      if (item.state === "read" && !item.has(this.#choice)) item.wait(); // switched on meanwhile
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.needsKey) {
        item.wait();
        this.#isReady = false;
        this.onKeyNeeded(error);
      } else {
        item.fail(error);
      }
    }
  }

  #summarize() {
    const read = this.#items.filter((item) => item.answer);
    const faces = read.reduce((sum, item) => sum + item.answer.faces.length, 0);
    const left = this.#items.filter((item) => ["waiting", "busy"].includes(item.state)).length;
    const parts = [count(this.#items.length, "picture"), count(faces, "face")];
    if (left) parts.push(`${left} to go`);
    setText(byId("summary"), parts.join(" · "));
    byId("drop").classList.toggle("small", this.#items.length > 0);
    byId("results-bar").hidden = this.#items.length === 0;
    for (const id of ["pictures-json", "pictures-csv"]) byId(id).disabled = !this.#read().length;
    if (this.#items.length && !left) {
      const which = this.#items.length === 1 ? "Read" : `${this.#items.length} pictures read`;
      announce(`${which}: ${count(faces, "face")} found`);
    }
  }
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
