"use strict";

// Tables: a button in each heading sorts by its column; missing values stay last.
function makeSortable(table) {
  const heads = [...table.querySelectorAll("tr.heads th")];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const first = column === 0 ? "ascending" : "descending";
      const second = column === 0 ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows];
      rows.sort((one, two) => {
        const [a, b] = [one, two].map((row) => row.cells[column]);
        if (column === 0) return sign * a.textContent.localeCompare(b.textContent);
        const [x, y] = [a, b].map((cell) => cell.dataset.value);
        if (x === "" || y === "") return (x === "") - (y === "");
        const [left, right] = [x, y].map((text) => (text.endsWith("inf") ? Infinity : Number(text)));
        return left === right ? 0 : sign * (left < right ? -1 : 1);
      });
      body.append(...rows);
    });
  });
}
document.querySelectorAll("table.sortable").forEach(makeSortable);
