"use strict";

// Viewers: two pictures of an image, overlaid and divided at the slider.
const viewers = [...document.querySelectorAll(".viewer")];
if (viewers.length) {
  // Of the viewer with the most pictures: some may lack a reference, which is the last.
  const names = viewers
    .map((viewer) => [...viewer.querySelectorAll("figcaption")].map((text) => text.firstChild.textContent))
    .reduce((most, own) => (own.length > most.length ? own : most));
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
    // The attributes: the properties are the displayed size, which is 0 while the browser skips the viewer.
    const [width, height] = ["width", "height"].map((side) => sizes.getAttribute(side));
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.setProperty("--ratio", width / height);
    const [over, under] = [new Image(), new Image()];
    over.loading = under.loading = "lazy";
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
        const figure = figures[select.selectedIndex] ?? figures[0];
        const [target, source] = [place === 0 ? over : under, figure.querySelector("img")];
        target.src = source.src;
        target.alt = source.alt;
        const lines = [...figure.querySelector("figcaption").childNodes].map((line) => line.textContent);
        tags[place].textContent = lines.filter(Boolean).join(", "); // innerText would lay out the page
      });
    };
  });
  const update = () => updates.forEach((one) => one());
  chosen.forEach((select) => select.addEventListener("change", update));
  update();
}
