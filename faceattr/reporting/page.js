"use strict";

// Contact sheet: each face carries one number per way to sort; the choice names one and a direction.
for (const tools of document.querySelectorAll(".tools")) {
  const sheet = document.getElementById(tools.dataset.sheet);
  const select = tools.querySelector("select");
  const faces = [...sheet.children].map((item) => ({
    item,
    keys: item.dataset.keys.split(" ").map(Number),
  }));
  const sort = () => {
    const column = parseInt(select.value, 10);
    const sign = select.value.endsWith("-") ? -1 : 1;
    faces.sort((a, b) => sign * (a.keys[column] - b.keys[column]) || a.keys[0] - b.keys[0]);
    sheet.append(...faces.map((face) => face.item));
  };
  select.addEventListener("change", sort);
  tools.hidden = false;
  if (select.value !== select.options[0].value) sort(); // browsers restore choices on reload
}

// Tables: without this script they are plain; with it, each heading is a button.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), undefined, { numeric: true });
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const direction = heading.ariaSort === "ascending" ? "descending" : "ascending";
      const sign = direction === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => ({ row, value: valueOf(row, column) }));
      rows.sort((a, b) => sign * compare(a.value, b.value));
      body.append(...rows.map((one) => one.row));
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.ariaSort = direction;
    });
  });
}
