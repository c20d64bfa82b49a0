"use strict";

// Tables: a button in each heading sorts by its column; missing values stay last.
for (const table of document.querySelectorAll("table.sortable")) {
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

// Test images: two pictures of an image, overlaid and divided at the slider.
const viewers = [...document.querySelectorAll(".viewer")];
if (viewers.length) {
  const names = [...viewers[0].querySelectorAll("figcaption")].map((text) => text.firstChild.textContent);
  const choices = document.createElement("p");
  choices.className = "choices";
  const chosen = ["Left", "Right"].map((side, place) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.id = side.toLowerCase();
    names.forEach((name, index) => select.add(new Option(name, index)));
    select.selectedIndex = place === 0 ? 0 : Math.min(1, names.length - 1);
    label.append(`${side} `, select);
    choices.append(label);
    return select;
  });
  viewers[0].before(choices);

  const updates = viewers.map((viewer) => {
    const figures = [...viewer.querySelectorAll(".strip figure")];
    const title = viewer.querySelector("h3").textContent;
    const stage = document.createElement("div");
    stage.className = "stage";
    const sizes = figures[0].querySelector("img");
    stage.style.aspectRatio = `${sizes.width} / ${sizes.height}`;
    const [over, under] = [new Image(), new Image()];
    over.className = "over";
    const tags = ["left", "right"].map((side) => {
      const tag = document.createElement("span");
      tag.className = `tag ${side}`;
      return tag;
    });
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: 100, step: 1, value: 50 });
    slider.setAttribute("aria-label", `${title}: boundary between left and right, per cent`);
    const move = () => stage.style.setProperty("--at", `${slider.value}%`);
    slider.addEventListener("input", move);
    move();
    stage.append(under, over, ...tags, slider);
    viewer.querySelector("h3").after(stage);
    return () => {
      chosen.forEach((select, place) => {
        const figure = figures[select.selectedIndex];
        const [target, source] = [place === 0 ? over : under, figure.querySelector("img")];
        target.src = source.src;
        target.alt = source.alt;
        tags[place].textContent = figure.querySelector("figcaption").innerText.replace("\n", ", ");
      });
    };
  });
  const update = () => updates.forEach((one) => one());
  chosen.forEach((select) => select.addEventListener("change", update));
  update();
}
