"use strict";

// Pictures: a click, or a digit, puts a version on the right of all sliders; with Shift on the left.
const [left, right] = ["left", "right"].map((id) => document.getElementById(id));
const show = (select, index) => {
  if (index < 0 || index >= select.length) return;
  select.selectedIndex = index;
  select.dispatchEvent(new Event("change"));
};
for (const viewer of viewers) {
  viewer.querySelectorAll(".strip figure").forEach((figure, index) => {
    figure.addEventListener("click", (event) => show(event.shiftKey ? left : right, index));
  });
}

const near = () => viewers.findLastIndex((viewer) => viewer.getBoundingClientRect().top < innerHeight / 3);
const go = (index) => {
  const viewer = viewers[Math.max(0, Math.min(viewers.length - 1, index))];
  viewer.scrollIntoView();
  viewer.querySelector("input").focus({ preventScroll: true });
};
addEventListener("keydown", (event) => {
  const isText = event.target.matches("select, input:not([type=range]), textarea");
  if (isText || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (digit) show(event.shiftKey ? left : right, Number(digit[1]));
  else if (event.key === "n") go(near() + 1);
  else if (event.key === "p") go(near() - 1);
  else if (event.key === "s") {
    const [one, other] = [left.selectedIndex, right.selectedIndex];
    show(left, other);
    show(right, one);
  } else return;
  event.preventDefault();
});

// By picture: one score of every version, a row per picture, read from the pictures' own tables.
{
  const tables = viewers.map((viewer) => viewer.querySelector("table"));
  const texts = (cells) => [...cells].map((cell) => cell.textContent);
  const heads = [...tables[0].querySelectorAll("tr:first-child:not(.heads) th")].flatMap((head) =>
    Array(head.colSpan).fill(head.textContent),
  );
  const scores = texts(tables[0].querySelectorAll("tr.heads th")).map((text, column) =>
    heads[column] ? `${heads[column]}: ${text}` : text,
  );
  const content = tables.map((table) => [...table.tBodies[0].rows].map((row) => [...row.cells]));
  const labels = content[0].map((row) => row[0].textContent);
  const titles = viewers.map((viewer) => viewer.querySelector("h3").textContent);
  const values = content.map((rows) => rows.map((row) => row.map((cell) => [cell.textContent, cell.dataset.value])));
  const select = document.getElementById("score");
  scores.slice(1).forEach((name, index) => select.add(new Option(name, index + 1)));
  const matrix = document.getElementById("matrix");
  const cell = (kind, text) => Object.assign(document.createElement(kind), { textContent: text });
  const draw = () => {
    const head = document.createElement("thead");
    const row = head.insertRow();
    row.className = "heads";
    row.append(...["Picture", ...labels].map((text) => cell("th", text)));
    const body = document.createElement("tbody");
    titles.forEach((title, index) => {
      const line = body.insertRow();
      const link = Object.assign(document.createElement("a"), { href: `#picture-${index + 1}`, textContent: title });
      const name = document.createElement("th");
      name.scope = "row";
      name.append(link);
      line.append(name);
      for (const version of values[index]) {
        const [text, value] = version[select.value];
        const one = cell("td", text);
        one.dataset.value = value;
        line.append(one);
      }
    });
    matrix.replaceChildren(head, body);
    makeSortable(matrix);
  };
  select.addEventListener("change", draw);
  draw();
}
