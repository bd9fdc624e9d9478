// Results as files, in the forms that the command `faceattr` writes.

import { cellsOf, rounded } from "./attributes.js";
import { make } from "./dom.js";

const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/; // a spreadsheet would run such a cell

/** Return pictures as `faceattr analyze --json` writes them. */
export function picturesToJson(pictures) {
  const described = pictures.map(({ name, width, height, faces, error }) =>
    error ? { source: name, error: error.error } : { source: name, width, height, faces });
  return `${JSON.stringify(described, null, 2)}\n`;
}

/** Return a table as `faceattr analyze --csv` writes it: a row for each face. */
export function picturesToCsv(pictures) {
  const rows = pictures.flatMap(({ name, faces, error }) => {
    if (error) return [{ source: name, error: error.error }];
    if (!faces.length) return [{ source: name }];
    return faces.map((face, index) => ({ source: name, face: index, ...faceCells(face) }));
  });
  return toCsv(rows, ["source", "face", ...PLACE], ["error"]);
}

/** Return frames of a stream as `faceattr stream --jsonl` writes them. */
export const framesToJsonLines = (frames) =>
  frames.map((frame) => `${JSON.stringify(frame)}\n`).join("");

/** Return a table as `faceattr stream --csv` writes it: a row for each face and frame. */
export function framesToCsv(frames) {
  const rows = frames.flatMap(({ frame, timestamp, faces }) =>
    faces.map((face) => ({ frame, timestamp, track: face.track_id, ...faceCells(face) })));
  return toCsv(rows, ["frame", "timestamp", "track", ...PLACE], []);
}

/** Let the browser keep a text as a file. */
export function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000); // some browsers read it a little later
}

const PLACE = ["x1", "y1", "x2", "y2", "confidence"];

function faceCells(face) {
  const cells = { confidence: rounded(face.confidence, 4) };
  face.bbox.forEach((value, index) => (cells[PLACE[index]] = rounded(value, 1)));
  for (const [name, attribute] of Object.entries(face.attributes)) {
    Object.assign(cells, cellsOf(name, attribute));
  }
  return cells;
}

function toCsv(rows, first, last) {
  const names = new Set(rows.flatMap(Object.keys));
  const middle = [...names].filter((name) => !first.includes(name) && !last.includes(name));
  const columns = [...first, ...middle, ...last];
  const lines = rows.map((row) => columns.map((name) => toCell(row[name])).join(","));
  return [columns.map(toCell).join(","), ...lines, ""].join("\r\n");
}

function toCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
