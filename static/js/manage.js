"use strict";
// The manager's pages: what a form asks depends on a choice, and what is under way is shown as it goes.

const SECONDS = 3;

for (const part of document.querySelectorAll("[data-base]")) {
  const show = () => {
    const chosen = document.querySelector('input[name="base"]:checked');
    part.hidden = !chosen || !part.dataset.base.split(" ").includes(chosen.value);
  };
  for (const input of document.querySelectorAll('input[name="base"]')) input.addEventListener("change", show);
  show();
}

function every(seconds, action) {
  const again = async () => {
    if (!document.hidden) {
      try {
        await action();
      } catch {
        // the server is being restarted, or the connection is gone: the next time may work
      }
    }
    window.setTimeout(again, seconds * 1000);
  };
  window.setTimeout(again, seconds * 1000);
}

const live = document.querySelector("[data-live]");
if (live) {
  every(SECONDS, async () => {
    // not under somebody's hands
    if (live.contains(document.activeElement) && document.activeElement !== document.body) return;
    const answer = await fetch(live.dataset.live, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const html = await answer.text();
    if (!live.contains(document.activeElement)) live.innerHTML = html;
  });
}

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320, HEIGHT = 140, LEFT = 6, RIGHT = 6, TOP = 14, BOTTOM = 18;

function node(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const short = (number) => (number === 0 ? "0" : Number(number.toPrecision(4)).toString());

function plot(points) {
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  const steps = points.map((p) => p[0]), values = points.map((p) => p[1]);
  const [firstStep, lastStep] = [Math.min(...steps), Math.max(...steps)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (step) => LEFT + ((step - firstStep) / (lastStep - firstStep || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const base = HEIGHT - BOTTOM;
  svg.append(
    node("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: base, y2: base }),
    points.length > 1
      ? node("polyline", { class: "line", points: points.map(([s, v]) => `${x(s).toFixed(1)},${y(v).toFixed(1)}`).join(" ") })
      : node("circle", { class: "dot", cx: x(steps[0]), cy: y(values[0]), r: 3 }),
    node("text", { x: LEFT, y: 10 }, short(high)),
    node("text", { x: LEFT, y: base - 3 }, high === low ? "" : short(low)),
    node("text", { x: LEFT, y: HEIGHT - 5 }, String(firstStep)),
    node("text", { x: WIDTH - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }, String(lastStep)),
  );
  return svg;
}

function table(points, words) {
  const rows = points.map(([step, value]) => {
    const row = document.createElement("tr");
    for (const cell of [String(step), short(value)]) {
      const td = document.createElement("td");
      td.className = "number";
      td.textContent = cell;
      row.append(td);
    }
    return row;
  });
  const head = document.createElement("tr");
  for (const word of [words.step, words.value]) {
    const th = document.createElement("th");
    th.className = "number";
    th.scope = "col";
    th.textContent = word;
    head.append(th);
  }
  const thead = document.createElement("thead"), body = document.createElement("tbody"), all = document.createElement("table");
  thead.append(head);
  body.append(...rows);
  all.className = "table";
  all.append(thead, body);
  const scroll = document.createElement("div"), details = document.createElement("details"), summary = document.createElement("summary");
  scroll.className = "scroll";
  scroll.append(all);
  summary.className = "small";
  summary.textContent = words.table;
  details.append(summary, scroll);
  return details;
}

function curve(name, points, words, open) {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const title = document.createElement("strong"), last = document.createElement("span");
  figure.className = "curve";
  figure.dataset.name = name;
  title.textContent = name;
  last.textContent = short(points[points.length - 1][1]);
  caption.append(title, last);
  const details = table(points, words);
  details.open = open;
  figure.append(caption, plot(points), details);
  return figure;
}

const curves = document.getElementById("run-curves");
if (curves) {
  const first = { status: "" };
  const draw = async () => {
    const answer = await fetch(curves.dataset.run, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const run = await answer.json();
    if (first.status && first.status !== run.status) {
      window.location.reload();
      return;
    }
    first.status = run.status;
    const names = Object.keys(run.metrics);
    if (names.length) {
      const open = new Set([...curves.querySelectorAll("details[open]")].map((d) => d.parentElement.dataset.name));
      curves.replaceChildren(...names.map((name) => curve(name, run.metrics[name], curves.dataset, open.has(name))));
    }
    const bar = document.getElementById("run-progress"), log = document.getElementById("run-log");
    if (bar && run.progress.total) {
      bar.max = run.progress.total;
      bar.value = run.progress.done;
      document.getElementById("run-stage").textContent = `${run.progress.stage}: ${run.progress.done} / ${run.progress.total}`;
    }
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    if (log.textContent !== run.log) {
      log.textContent = run.log;
      if (atEnd) log.scrollTop = log.scrollHeight;
    }
  };
  draw().catch(() => {});
  if ("follow" in curves.dataset) every(2, draw);
}
