// Elements, and words for screen readers.

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, unknown>} properties Listeners (`onclick`), attributes, or `text`; what is
 *     false, null or undefined is left out.
 * @param {...(Node | string)} children
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Return the element of that id. */
export const byId = (id) => document.getElementById(id);

/** Set text only where it differs, as each change makes a browser lay out the page again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Let a screen reader say something when it has finished what it is saying. */
export function announce(text) {
  setText(byId("status"), text);
}

/** Return a message of the server as a sentence. */
export function sentence(message) {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Return a number with its noun: "1 face", "2 faces". */
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
