"use strict";

// Blind votes: pairs of methods in a random order of each person's own, kept in the browser.
{
  const dialog = document.getElementById("vote");
  const part = (id) => document.getElementById(id);
  const key = `lowlight-votes-${document.body.dataset.gallery}`;
  const pictures = [...part("pair").querySelectorAll("img")];
  const choices = [...dialog.querySelectorAll("[data-choice]")];
  const glance = 300; // milliseconds in which nobody has judged a pair
  let state = null; // {seed, votes: [[choice, seconds, time], ...]}
  let pairs = [];
  let shownAt = 0;
  let isSeen = false;
  let seeing = 0;

  // mulberry32, so that the order can be made again from its seed
  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  const order = (seed) => {
    const draw = random(seed);
    const all = [];
    for (const viewer of viewers) {
      const name = viewer.querySelector("h3").textContent;
      const { scene } = viewer.dataset;
      const figures = [...viewer.querySelectorAll("figure[data-method]")];
      figures.forEach((one, index) => {
        for (const other of figures.slice(index + 1)) {
          all.push({ name, scene, figures: draw() < 0.5 ? [one, other] : [other, one] });
        }
      });
    }
    for (let last = all.length - 1; last > 0; last--) {
      const other = Math.floor(draw() * (last + 1));
      [all[last], all[other]] = [all[other], all[last]];
    }
    return all;
  };

  const begin = () => ({ seed: crypto.getRandomValues(new Uint32Array(1))[0], votes: [] });
  const keep = () => {
    try {
      localStorage.setItem(key, JSON.stringify(state));
      part("kept").textContent = "Votes are kept in this browser: the page may be closed and opened again.";
    } catch {
      part("kept").textContent = "This browser keeps no votes: download the CSV file before you close the page.";
    }
  };
  const recall = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(key));
      return Number.isInteger(kept.seed) && Array.isArray(kept.votes) ? kept : null;
    } catch {
      return null;
    }
  };
  // The page may be open in several tabs, which go on from the longer list of one person's votes.
  const latest = () => {
    const kept = recall();
    if (!state) return kept ?? begin();
    return kept?.seed === state.seed && kept.votes.length > state.votes.length ? kept : state;
  };

  // A choice counts once both pictures are there and were seen for a glance: the second half of a double click,
  // or a key held down, is none. Not by "disabled", which would take the focus off the button.
  const allow = (is) => {
    isSeen = is;
    for (const button of choices) button.setAttribute("aria-disabled", !is);
  };
  const see = () => {
    clearTimeout(seeing);
    allow(false);
    if (!pairs[state.votes.length] || !pictures.every((picture) => picture.complete)) return;
    shownAt = performance.now();
    seeing = setTimeout(allow, glance, true);
  };
  for (const picture of pictures) picture.onload = picture.onerror = see;

  const source = (figure) => figure.querySelector("img").src;
  const show = () => {
    const pair = pairs[state.votes.length];
    part("progress").textContent = `${Math.min(state.votes.length + 1, pairs.length)} of ${pairs.length}`;
    part("pair").hidden = !pair;
    part("done").hidden = Boolean(pair);
    dialog.querySelector('[data-choice="0"]').disabled = !pair;
    part("back").disabled = part("download").disabled = state.votes.length === 0;
    if (pair) pictures.forEach((picture, side) => (picture.src = source(pair.figures[side])));
    see();
    const next = pairs[state.votes.length + 1];
    if (next) for (const figure of next.figures) new Image().src = source(figure);
  };
  const take = (next) => {
    state = next;
    pairs = order(state.seed);
    show();
  };
  const change = (edit) => {
    const next = latest();
    if (next !== state) return take(next); // the change was meant for another pair
    edit();
    keep();
    show();
  };
  const open = () => {
    if (dialog.open) return;
    take(latest());
    keep();
    dialog.showModal();
    part("question").focus(); // not a picture, which the space bar would choose
  };
  const vote = (choice) => {
    if (!isSeen) return;
    const seconds = Math.round(performance.now() - shownAt) / 1000;
    change(() => state.votes.push([choice, seconds, new Date().toISOString()]));
  };
  const undo = () => change(() => state.votes.pop());

  // An apostrophe keeps a spreadsheet from running a text; lowlight removes it.
  const guarded = (text) => (/^'*[=+\-@\s]/.test(text) ? `'${text}` : text);
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const download = () => {
    const voter = state.seed.toString(16).padStart(8, "0");
    const rows = state.votes.map(([choice, seconds, time], index) => {
      const { name, scene, figures } = pairs[index];
      const methods = figures.map((figure) => guarded(figure.dataset.method));
      return [`v${voter}`, guarded(name), guarded(scene), ...methods, String(choice), String(seconds), time];
    });
    const lines = [["voter", "picture", "scene", "first", "second", "choice", "seconds", "time"], ...rows];
    const text = lines.map((row) => row.map(quoted).join(",") + "\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `votes-${voter}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  part("to-vote").addEventListener("click", open);
  part("back").addEventListener("click", undo);
  part("download").addEventListener("click", download);
  part("close").addEventListener("click", () => dialog.close());
  part("anew").addEventListener("click", () => {
    state = latest();
    if (state.votes.length) download();
    take(begin());
    keep();
  });
  addEventListener("storage", (event) => {
    const kept = recall();
    if (state && kept && event.key === key) take(kept);
  });
  for (const button of choices) {
    button.addEventListener("click", (event) => {
      if (event.detail < 2) vote(Number(button.dataset.choice));
    });
  }
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.repeat) {
      if (dialog.open && event.key === "Enter") event.preventDefault(); // it would press the button again
      return;
    }
    if (!dialog.open) {
      if (event.key === "v" && !event.target.matches("select, textarea")) open();
      return;
    }
    const digit = /^(?:Digit|Numpad)([012])$/.exec(event.code); // the key, whatever the layout prints on it
    if (digit) vote(Number(digit[1]));
    else if (event.key === "Backspace") undo();
    else return;
    event.preventDefault();
  });
  if (location.hash === "#vote") open();
}
