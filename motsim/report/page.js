"use strict";
// Sorting, filtering and enlarging; without it the page shows all of its content.
document.documentElement.classList.add("js");

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll("form.filters").forEach(makeFilters);
  document.querySelectorAll("button.enlarge").forEach(makeEnlarge);
});

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sortRows(table.tBodies[0], column, head.dataset.type === "number", down ? -1 : 1);
    });
  });
}

function sortRows(body, column, numeric, direction) {
  const order = new Intl.Collator("en", { numeric: true });
  const key = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? cell.innerText.trim();
    return numeric && text !== "" ? Number(text) : text;
  };
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // nothing to compare goes last
    if (a === b) return 0;
    return direction * (numeric ? a - b : order.compare(a, b));
  };
  const rows = [...body.rows].map((row) => [key(row), row]);
  rows.sort((one, other) => compare(one[0], other[0])); // stable
  body.append(...rows.map((pair) => pair[1]));
}

function makeFilters(form) {
  const section = form.closest("section");
  const rows = [...section.querySelectorAll("table.sortable tbody tr")];
  const output = form.querySelector("output");
  const texts = new Map(rows.map((row) => [row, row.innerText.toLowerCase()]));
  const update = () => {
    const words = form.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const match =
        ["claim", "verdict", "recorded"].every(
          (name) => !form[name].value || row.dataset[name] === form[name].value,
        ) && words.every((word) => texts.get(row).includes(word));
      row.hidden = !match;
      shown += match;
    }
    output.value = `${shown} of ${rows.length} findings`;
  };
  form.hidden = false;
  form.addEventListener("input", update);
  form.addEventListener("change", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  update(); // the browser may have kept what was chosen before
}

function makeEnlarge(button) {
  const picture = button.parentElement.querySelector(".picture");
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", () => {
    const large = picture.classList.toggle("large");
    button.textContent = large ? label.replace("Enlarge", "Shrink") : label;
  });
}
