// Attributes of faces, as the server describes them: their words, colors and columns.
//
// A classification has `scores`, a person of a gallery has `candidates`, an estimate has a `value`
// and a descriptor a `vector`; an attribute nobody here has heard of is one of these too.

import { FACE_COLOR, UNCERTAIN_COLOR, colorOf } from "./palette.js";

export const UNCERTAIN = "uncertain"; // shown instead of a label that the server is not sure of

/** Return the probabilities of an attribute, by label; null if it has none. */
export const scoresOf = (attribute) => attribute.scores ?? attribute.candidates ?? null;

export const percent = (share) => `${Math.round(100 * share)}%`;

/** Return an attribute in words: "happy 93%", "31 ± 5 years", "uncertain". */
export function wordsOf(attribute) {
  if (scoresOf(attribute)) {
    return attribute.label === null
      ? UNCERTAIN
      : `${attribute.label} ${percent(attribute.confidence)}`;
  }
  if (attribute.vector) return `${attribute.vector.length} numbers`;
  const digits = Math.abs(attribute.value) < 10 ? 1 : 0;
  const spread = attribute.std === null ? "" : ` ± ${attribute.std.toFixed(digits)}`;
  return `${attribute.value.toFixed(digits)}${spread} ${attribute.unit}`;
}

/** Return a face in words, for people who hear the page. */
export function describeFace(face) {
  const words = Object.values(face.attributes).filter((one) => !one.vector).map(wordsOf);
  return words.join(", ") || "a face";
}

/** Return the color of what a classification says. */
export function colorOfAttribute(attribute) {
  if (attribute.label === null || attribute.label === "unknown") return UNCERTAIN_COLOR;
  return attribute.candidates
    ? FACE_COLOR
    : colorOf(attribute.label, Object.keys(attribute.scores));
}

/** Return the classification that a face's box shows, [name, attribute], or undefined. */
export const leadingOf = (attributes) =>
  Object.entries(attributes).find(([, attribute]) => scoresOf(attribute));

/** Return a face with only some of its attributes. */
export function narrow(face, names) {
  const chosen = Object.entries(face.attributes).filter(([name]) => names.has(name));
  return { ...face, attributes: Object.fromEntries(chosen) };
}

/** Return an attribute as cells of a table, with the columns that `faceattr analyze --csv` has. */
export function cellsOf(name, attribute) {
  if (attribute.private) return {};
  if (attribute.vector) {
    return Object.fromEntries(attribute.vector.map((value, index) => [`${name}_${index}`, value]));
  }
  const scores = scoresOf(attribute);
  if (!scores) {
    const std = attribute.std === null ? null : rounded(attribute.std, 2);
    return { [name]: rounded(attribute.value, 2), [`${name}_std`]: std };
  }
  const cells = { [name]: attribute.label, [`${name}_confidence`]: rounded(attribute.confidence, 4) };
  if (attribute.candidates) return { ...cells, [`${name}_score`]: rounded(attribute.score, 3) };
  for (const [label, score] of Object.entries(scores)) {
    cells[`${name}_${label}`] = rounded(score, 4);
  }
  return cells;
}

export const rounded = (value, digits) => Number(value.toFixed(digits));
