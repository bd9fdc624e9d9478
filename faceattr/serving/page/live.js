// The live view: frames of the camera to the server, boxes and readings back.

import { narrow } from "./attributes.js";
import { Box } from "./boxes.js";
import { listCameras, openCamera } from "./camera.js";
import { announce, byId, make, sentence, setText } from "./dom.js";
import { framesToCsv, framesToJsonLines, save } from "./downloads.js";
import { Tracks } from "./tracks.js";

const IN_FLIGHT = 2; // frames on their way: one is read while the next one travels
const LONGEST_SIDE = 640; // pixels of a frame that is sent
const QUALITY = 0.85; // of its JPEG
const KEPT = 20_000; // newest frames for the downloads, about a quarter of an hour
const RECENT = 2; // seconds over which frames and delays are averaged
const PAUSES = [0.5, 1, 2, 4, 8]; // seconds before the connection is opened again
const GOING_AWAY = 1001; // the server ends
const REFUSED = 1008; // the client does not keep a rule

export class Live {
  #server;
  #choice;
  #tracks = new Tracks();
  #boxes = new Map();
  #frames = [];
  #attempt = null; // to start, until it is stopped
  #camera = null;
  #socket = null;
  #flying = new Map(); // number of a frame to when it was taken
  #answers = []; // {at, delay} of the recent ones
  #sent = 0;
  #tried = 0;
  #isEncoding = false;
  #begun = 0;
  #canvas = make("canvas");

  /** Called with a picture, as a file. */
  onPicture = () => {};

  /** Called when the server refuses the API key. */
  onKeyNeeded = () => {};

  constructor(server, choice) {
    this.#server = server;
    this.#choice = choice;
    this.video = byId("video");
    choice.addEventListener("change", () => this.#choose());
    byId("start").addEventListener("click", () => this.start());
    byId("stop").addEventListener("click", () => this.stop());
    byId("snapshot").addEventListener("click", () => this.#takePicture());
    byId("camera").addEventListener("change", () => this.start());
    byId("mirror").addEventListener("change", () => this.#mirror());
    byId("live-json").addEventListener("click", () =>
      save("faceattr-live.jsonl", "application/jsonl", framesToJsonLines(this.#frames)));
    byId("live-csv").addEventListener("click", () =>
      save("faceattr-live.csv", "text/csv", framesToCsv(this.#frames)));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#camera && !this.#socket) this.#connect();
    });
    this.#mirror();
  }

  /** Whether there is a camera, or the browser still asks for one. */
  get isRunning() {
    return this.#attempt !== null;
  }

  async start() {
    this.#release();
    const attempt = Symbol("attempt");
    this.#attempt = attempt;
    this.#show("busy", "Starting the camera …", "The browser may ask whether this page may use it.");
    try {
      const camera = await openCamera(byId("camera").value);
      if (attempt !== this.#attempt) { // stopped while the browser asked
        turnOff(camera);
        return;
      }
      this.#camera = camera;
      this.video.srcObject = camera;
      await this.video.play();
    } catch (error) {
      if (attempt === this.#attempt) this.#fail("There is no picture", error.message);
      return;
    }
    if (attempt === this.#attempt) await this.#begin(this.#camera);
  }

  async #begin(camera) {
    const [track] = camera.getVideoTracks();
    track.addEventListener("ended", () =>
      this.#fail("The camera has stopped", "It may have been unplugged, or taken by another program."));
    this.#frames = [];
    this.#tried = 0;
    this.#begun = now();
    byId("controls").hidden = byId("live-bar").hidden = false;
    byId("stage").style.setProperty("--ratio", this.video.videoWidth / this.video.videoHeight);
    await this.#offerCameras(track.getSettings().deviceId);
    if (camera !== this.#camera) return; // stopped meanwhile
    this.#show("busy", "Connecting …", "");
    this.#connect();
    this.#watch();
    byId("stop").focus();
  }

  stop() {
    this.#release();
    this.#show("idle", "Stopped", this.#frames.length
      ? "What was read can be downloaded until the camera is started again."
      : "");
    announce("The camera is off");
    byId("start").focus();
  }

  // The connection

  #connect() {
    const socket = this.#server.openStream();
    this.#socket = socket;
    this.#flying.clear();
    this.#sent = 0;
    this.#tracks.clear();
    socket.addEventListener("open", () => socket.send(this.#server.choose(this.#choice.actions)));
    socket.addEventListener("message", (event) => this.#answer(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#lose(event);
    });
  }

  #choose() {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(this.#server.choose(this.#choice.actions));
    }
  }

  #lose({ code, reason }) {
    this.#socket = null;
    if (document.hidden) return; // a page in the background sends nothing; it goes on when it is seen
    if (code === REFUSED && /key/.test(reason)) {
      this.#fail("The server refuses the API key", sentence(reason));
      this.onKeyNeeded(new Error(reason));
      return;
    }
    const seconds = PAUSES[this.#tried];
    this.#tried += 1;
    if (seconds === undefined) {
      this.#fail("The connection is gone", "The server may have ended, or too many people may be watching. Start again in a moment.");
      return;
    }
    const why = code === GOING_AWAY ? "The server has ended." : reason ? sentence(reason) : "";
    this.#show("busy", "Connecting again …", why);
    const camera = this.#camera;
    setTimeout(() => {
      if (this.#camera === camera && !this.#socket) this.#connect();
    }, 1000 * seconds);
  }

  #answer(answer) {
    if (answer.error) {
      this.#flying.delete(answer.frame);
      if (answer.frame === undefined) this.#show("busy", "The server refuses this", sentence(answer.error));
      return;
    }
    const taken = this.#flying.get(answer.frame);
    if (taken === undefined) return; // of frames before the newest connection
    for (const number of this.#flying.keys()) {
      if (number <= answer.frame) this.#flying.delete(number); // earlier ones were dropped
    }
    this.#tried = 0;
    this.#show("running");
    this.#answers.push({ at: now(), delay: now() - taken });
    const { width, height } = answer;
    const faces = answer.faces.map((face) => narrow(face, this.#choice.attributes));
    const time = now() - this.#begun;
    this.#frames.push({ frame: answer.frame, timestamp: Math.round(1000 * time) / 1000, width, height, faces });
    if (this.#frames.length > KEPT) this.#frames.shift();
    this.#place(faces, answer);
    this.#tracks.update(faces, time);
    this.#count(faces.length);
  }

  // Frames out

  #watch() {
    const camera = this.#camera;
    const look = () => {
      if (this.#camera !== camera) return;
      this.#send();
      if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(look);
      else requestAnimationFrame(look);
    };
    look();
  }

  #send() {
    const socket = this.#socket;
    const isFree = this.#flying.size < IN_FLIGHT && !this.#isEncoding;
    if (!isFree || socket?.readyState !== WebSocket.OPEN || !this.video.videoWidth) return;
    this.#isEncoding = true;
    const taken = now();
    this.#draw(LONGEST_SIDE);
    this.#canvas.toBlob((blob) => {
      this.#isEncoding = false;
      if (!blob || socket !== this.#socket || socket.readyState !== WebSocket.OPEN) return;
      this.#flying.set(this.#sent, taken);
      this.#sent += 1;
      socket.send(blob);
    }, "image/jpeg", QUALITY);
  }

  #draw(longest) {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(longest / Math.max(videoWidth, videoHeight), 1);
    this.#canvas.width = Math.round(videoWidth * scale);
    this.#canvas.height = Math.round(videoHeight * scale);
    this.#canvas.getContext("2d").drawImage(this.video, 0, 0, this.#canvas.width, this.#canvas.height);
  }

  #takePicture() {
    this.#draw(Infinity);
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
    this.#canvas.toBlob((blob) => {
      if (blob) this.onPicture(new File([blob], `camera-${time}.jpg`, { type: "image/jpeg" }));
    }, "image/jpeg", 0.95);
  }

  // What is shown

  #place(faces, size) {
    const options = { mirrored: byId("mirror").checked };
    const gone = new Set(this.#boxes.keys());
    for (const face of faces) {
      const { track_id: id } = face;
      if (id === null) continue; // not yet followed
      if (!this.#boxes.has(id)) {
        this.#boxes.set(id, new Box());
        byId("live-boxes").append(this.#boxes.get(id).element);
      }
      this.#boxes.get(id).update(face, size, { ...options, number: `#${id}` });
      gone.delete(id);
    }
    for (const id of gone) {
      this.#boxes.get(id).element.remove();
      this.#boxes.delete(id);
    }
  }

  #count(faces) {
    const recent = now() - RECENT;
    while (this.#answers[0].at < recent) this.#answers.shift();
    const seconds = Math.min(RECENT, now() - this.#answers[0].at) || RECENT;
    const delays = this.#answers.map((one) => one.delay).sort((one, other) => one - other);
    setText(byId("fps"), this.#answers.length > 1 ? ((this.#answers.length - 1) / seconds).toFixed(1) : "–");
    setText(byId("delay"), `${Math.round(1000 * delays[delays.length >> 1])} ms`);
    setText(byId("count"), String(faces));
  }

  #mirror() {
    this.video.classList.toggle("mirrored", byId("mirror").checked);
  }

  async #offerCameras(current) {
    const cameras = await listCameras();
    const select = byId("camera");
    select.replaceChildren(...cameras.map(({ id, name }) =>
      make("option", { value: id, text: name, selected: id === current })));
    byId("camera-field").hidden = cameras.length < 2;
  }

  #show(state, title = "", text = "") {
    byId("stage").dataset.state = state;
    byId("curtain").hidden = state === "running";
    setText(byId("curtain-title"), title);
    setText(byId("curtain-text"), text);
    byId("start").hidden = state === "busy";
    setText(byId("start"), state === "failed" ? "Try again" : "Start the camera");
  }

  #fail(title, text) {
    this.#release();
    this.#show("failed", title, text);
    announce(`${title}. ${text}`);
  }

  #release() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    if (this.#camera) turnOff(this.#camera);
    this.#camera = this.#attempt = null;
    this.video.srcObject = null;
    this.#answers = [];
    this.#place([], {});
    byId("controls").hidden = true;
    byId("live-bar").hidden = this.#frames.length === 0;
  }
}

const turnOff = (camera) => camera.getTracks().forEach((track) => track.stop());

/** Return seconds of a clock that never jumps. */
const now = () => performance.now() / 1000;
