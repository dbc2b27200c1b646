"use strict";
// Sorting, filtering and enlarging; without it the page shows all of its content.
document.documentElement.classList.add("js");

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll("form.filters").forEach(makeFilters);
  document.querySelectorAll("button.enlarge").forEach(makeEnlarge);
  fromAddress();
  window.addEventListener("hashchange", fromAddress);
});

// The address holds what is filtered and sorted: page.html#findings?verdict=fails&sort=Value&down=1
const VIEW = "#findings?";
const FIELDS = ["claim", "verdict", "recorded", "text"];

function toAddress() {
  const words = new URLSearchParams();
  const form = document.querySelector("form.filters");
  for (const name of FIELDS) if (form[name].value) words.set(name, form[name].value);
  const head = document.querySelector(
    ".sortable [aria-sort=ascending], .sortable [aria-sort=descending]",
  );
  if (head) words.set("sort", head.textContent.trim());
  if (head?.getAttribute("aria-sort") === "descending") words.set("down", "1");
  const view = [...words].length ? VIEW + words : "";
  if (view || location.hash.startsWith(VIEW)) history.replaceState(null, "", view || "#findings");
}

function fromAddress() {
  const form = document.querySelector("form.filters");
  if (!form || !location.hash.startsWith(VIEW)) return;
  const words = new URLSearchParams(location.hash.slice(VIEW.length));
  for (const name of FIELDS) form[name].value = words.get(name) ?? "";
  const heads = [...document.querySelectorAll(".sortable thead th")];
  const head = heads.find((each) => each.textContent.trim() === words.get("sort"));
  const wanted = words.has("down") ? "descending" : "ascending";
  for (let press = 0; head && head.getAttribute("aria-sort") !== wanted && press < 2; press++) {
    head.querySelector("button").click();
  }
  form.dispatchEvent(new Event("input"));
  form.closest("section").scrollIntoView();
}

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
      toAddress();
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
  const changed = () => {
    update();
    toAddress();
  };
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  form.addEventListener("reset", () => setTimeout(changed));
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
