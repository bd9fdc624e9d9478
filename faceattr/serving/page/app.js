// The page: its tabs, the API key, and what the server says when it is asked first.

import { Choice } from "./choice.js";
import { byId, make, sentence, setText } from "./dom.js";
import { Live } from "./live.js";
import { Pictures } from "./pictures.js";
import { Server, pause } from "./server.js";

const server = new Server();
const choice = new Choice();
const pictures = new Pictures(server, choice);
const live = new Live(server, choice);

// What the server offers

async function connect() {
  for (;;) {
    try {
      const offer = await server.analyzers();
      notice(null);
      byId("key").hidden = true;
      choice.show(byId("actions"), offer.analyzers);
      pictures.maxBody = offer.limits.max_body;
      pictures.isReady = true;
      byId("start").disabled = false;
      setText(byId("about"), `faceattr ${offer.version} on ${location.host}`);
      return;
    } catch (error) {
      if (error.needsKey) {
        askForKey(server.hasKey ? "This server does not know that key." : "");
        return;
      }
      if (!error.mayPass) {
        notice(sentence(error.message), "Try again");
        return;
      }
      notice("The server is loading its models. This page goes on by itself.");
      await pause(error.pause);
    }
  }
}

function notice(text, action = null) {
  const element = byId("notice");
  element.hidden = text === null;
  element.replaceChildren();
  if (text !== null) element.append(make("p", { text }));
  if (action !== null) element.append(make("button", { type: "button", text: action, onclick: connect }));
}

function askForKey(error) {
  notice(null);
  byId("key").hidden = false;
  setText(byId("key-error"), error);
  byId("key-value").focus();
}

byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  server.setKey(byId("key-value").value.trim());
  setText(byId("key-error"), "");
  connect();
});
pictures.onKeyNeeded = live.onKeyNeeded = (error) => askForKey(sentence(error.message));

// Tabs

const tabs = [byId("tab-pictures"), byId("tab-live")];
const panelOf = (tab) => byId(tab.getAttribute("aria-controls"));

function select(tab) {
  for (const one of tabs) {
    const isSelected = one === tab;
    one.setAttribute("aria-selected", String(isSelected));
    one.tabIndex = isSelected ? 0 : -1;
    panelOf(one).hidden = !isSelected;
  }
  if (tab !== byId("tab-live") && live.isRunning) live.stop();
  history.replaceState(null, "", tab === tabs[0] ? location.pathname : `#${panelOf(tab).id}`);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    select(next);
    next.focus();
  });
}
byId("use-camera").addEventListener("click", () => {
  select(byId("tab-live"));
  live.start();
});
live.onPicture = (file) => {
  select(byId("tab-pictures"));
  pictures.add([file]);
  byId("tab-pictures").focus();
};

// Pictures from anywhere on the page

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
let depth = 0; // of elements that a file is dragged over
document.addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  depth += 1;
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  depth -= 1;
  if (depth === 0) document.body.classList.remove("dragging");
});
document.addEventListener("dragover", (event) => {
  if (hasFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  addPictures([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length) return;
  event.preventDefault();
  addPictures(files);
});

function addPictures(files) {
  select(byId("tab-pictures"));
  pictures.add(files);
}

byId("start").disabled = true; // until the server answers
if (location.hash === "#live") select(byId("tab-live"));
connect();
