// The server's interface: what it has loaded, pictures, and streams.

const KEY = "faceattr-key"; // in the tab's own storage, which ends with it
const TRIES = 6; // of a request while the server is busy
const LONGEST_PAUSE = 10; // seconds between two of them

/** What the server refuses, or why it cannot be reached. */
export class ServerError extends Error {
  constructor(message, { code = "unreachable", status = 0, pause = 1 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.pause = pause; // seconds after which to try again
  }

  get needsKey() {
    return this.status === 401;
  }

  /** Whether the same request may be answered later. */
  get mayPass() {
    return [429, 503].includes(this.status);
  }
}

export class Server {
  #key = recall();

  get hasKey() {
    return this.#key !== null;
  }

  setKey(key) {
    this.#key = key;
    remember(key);
  }

  /** Return what the server has loaded, as /v1/analyzers answers. */
  async analyzers() {
    return this.#fetch("v1/analyzers");
  }

  /**
   * Return the reading of one picture: {name, width, height, faces, error, …}.
   * @param {File} file
   * @param {string[]} actions Names of analyzers.
   * @param {AbortSignal} signal
   */
  async analyze(file, actions, signal) {
    const body = new FormData();
    body.append("pictures", file, file.name);
    const path = `v1/analyze?actions=${encodeURIComponent(actions.join(","))}`;
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await this.#fetch(path, { method: "POST", body, signal });
        return answer.pictures[0];
      } catch (error) {
        if (!error.mayPass || tried === TRIES) throw error;
        await pause(Math.min(error.pause, LONGEST_PAUSE), signal);
      }
    }
  }

  /** Open a stream; its first message, which `choose` makes, is the caller's to send. */
  openStream() {
    const address = new URL("v1/stream", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    return socket;
  }

  /** Return the message that chooses analyzers on a stream. */
  choose(actions) {
    return JSON.stringify(this.#key === null ? { actions } : { actions, key: this.#key });
  }

  async #fetch(path, options = {}) {
    const headers = this.#key === null ? {} : { Authorization: `Bearer ${this.#key}` };
    let response;
    try {
      response = await fetch(new URL(path, document.baseURI), {
        ...options, headers, credentials: "omit", cache: "no-store",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError("The server does not answer. It may have ended, or the network is gone.");
    }
    const answer = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer;
    const pause = Number(response.headers.get("Retry-After")) || 1;
    throw new ServerError(answer?.error ?? `The server answered ${response.status}.`, {
      code: answer?.code, status: response.status, pause,
    });
  }
}

/** Wait, unless the signal says that nobody waits any more. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

// A browser may refuse storage; then the key is asked for after each reload.

function recall() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(key) {
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // kept in memory alone
  }
}
