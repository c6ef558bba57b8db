"use strict";
// Live plots: what the server drew and wrote as a table is drawn anew by uPlot, and kept up to date.
//
// <section data-plots="URL" data-csv="…KEY…" data-every="4"> holds <figure data-plot="KEY">, a <template> of
// one, and [data-lost]. The URL answers {"plots": […], "why"} as /api/v1/ describes it, under an ETag.

(() => {
  const LONGEST = 15, AFTER_TROUBLE = 60; // seconds between two looks
  const HEIGHT = 208, GAP = 11; // of a plot; between the marks of two series, in CSS pixels
  const lang = `${document.documentElement.lang || "en"}-u-nu-latn`;
  const percent = new Intl.NumberFormat(lang, { style: "percent", maximumFractionDigits: 1 });
  const plain = new Intl.NumberFormat(lang, { maximumSignificantDigits: 4 });
  const clock = new Intl.DateTimeFormat(lang, { timeZone: "UTC", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const date = new Intl.DateTimeFormat(lang, { timeZone: "UTC", month: "short", day: "numeric" });
  const drawings = new Set();

  // -- colours: a canvas knows no custom properties ---------------------------------------------------------
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function token(name) {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  }
  let colours = {};
  function readColours() {
    for (const name of ["accent", "ink-soft", "line", "line-strong", "surface", "calm"]) colours[name] = token(name);
    const root = getComputedStyle(document.documentElement);
    colours.font = `${0.75 * parseFloat(root.fontSize)}px ${root.getPropertyValue("--sans")}`;
    colours.rem = parseFloat(root.fontSize);
  }
  function repaint() {
    readColours();
    for (const drawing of drawings) drawing.rebuild();
  }
  readColours();
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme", "data-text-size"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  // -- one plot ---------------------------------------------------------------------------------------------
  const bars = (plot) => plot.unit === "n" && plot.series.some((each) => !each.joined);
  const colour = (series) => colours[series.hollow ? "ink-soft" : "accent"];

  function bounds(plot) {
    const found = plot.levels.map((level) => level.value);
    for (const each of plot.series) found.push(...each.values, ...each.low, ...each.high);
    const known = found.filter((value) => value !== null);
    let low = Math.min(...known), high = Math.max(...known);
    if (plot.unit === "n") low = Math.min(low, 0);
    const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 0.1;
    if (plot.unit !== "n") low -= room;
    high = plot.unit === "n" ? Math.max(high + room, 4) : high + room;
    return plot.unit === "%" ? [Math.max(low, -0.02), Math.min(high, 1.02)] : [low, high];
  }

  function sides(plot) {
    const first = plot.at[0], last = plot.at[plot.at.length - 1];
    const step = plot.at.length > 1 ? (last - first) / (plot.at.length - 1) : 1;
    const half = bars(plot) || plot.scale === "category" || plot.at.length === 1 ? 0.6 * step : 0.02 * (last - first);
    return [first - half, last + half];
  }

  // names stand where there is room for them, the last one always
  function named(u, plot) {
    const longest = Math.min(12, Math.max(...plot.labels.map((label) => label.length)));
    const each = plot.scale === "category" ? 12 + 0.42 * colours.rem * longest : 36;
    const room = Math.max(1, Math.floor(u.bbox.width / devicePixelRatio / each));
    const stride = Math.ceil(plot.at.length / room);
    return plot.at.filter((_, at) => (plot.at.length - 1 - at) % stride === 0);
  }

  function xAxis(drawing) {
    const axis = { stroke: colours["ink-soft"], font: colours.font, grid: { show: false }, size: 2.1 * colours.rem,
      ticks: { stroke: colours.line, width: 1, size: 4 },
      label: drawing.plot.x, labelFont: colours.font, labelSize: 1.2 * colours.rem, labelGap: 0 };
    const { scale, at, unit } = drawing.plot;
    if (scale === "time") {
      const daily = at.every((second) => second % 86400 === 0);
      const days = daily || at[at.length - 1] - at[0] > 3 * 86400;
      if (daily) axis.splits = (u) => named(u, { ...drawing.plot, scale: "category" });
      axis.space = 4.5 * colours.rem;
      axis.values = (u, splits) => splits.map((second) => {
        const when = new Date(second * 1000);
        return days || second % 86400 === 0 ? date.format(when) : clock.format(when);
      });
    } else if (unit === "g") {
      axis.values = (u, splits) => splits.map((value) => (Number.isInteger(value) ? plain.format(value) : ""));
    } else {
      axis.splits = (u) => named(u, drawing.plot);
      axis.values = (u, splits) => splits.map((value) => {
        const label = drawing.plot.labels[drawing.plot.at.indexOf(value)] || "";
        return label.length > 12 ? `${label.slice(0, 5)}…${label.slice(-6)}` : label; // the end tells names apart
      });
    }
    return axis;
  }

  function yAxis(plot) {
    const write = plot.unit === "%" ? percent : plain;
    return { stroke: colours["ink-soft"], font: colours.font, grid: { stroke: colours.line, width: 1 }, ticks: { show: false },
      size: (u, values) => 10 + 0.44 * colours.rem * Math.max(4, ...(values || []).map((each) => each.length)),
      values: (u, splits) => splits.map((value) => (plot.unit === "n" && !Number.isInteger(value) ? "" : write.format(value))) };
  }

  function shape(drawing, series) {
    const { plot } = drawing;
    const base = { stroke: colour(series), width: 1.75, points: { show: false }, dash: series.hollow ? [6, 3] : undefined };
    if (series.joined) return { ...base, spanGaps: true, points: { show: plot.at.length <= 30, size: 6, fill: series.hollow ? colours.surface : colour(series) } };
    if (plot.unit === "n") {
      return { ...base, width: series.hollow ? 1.5 : 0, dash: undefined, fill: series.hollow ? undefined : colours.accent,
        paths: uPlot.paths.bars({ size: [0.7, 36] }) };
    }
    return { ...base, paths: () => null };
  }

  // bands of joined series, and of the others marks with whiskers side by side
  function paintIntervals(u, drawing) {
    const { ctx } = u, { plot } = drawing, ratio = devicePixelRatio;
    const y = (value) => u.valToPos(value, "y", true);
    ctx.save();
    ctx.lineWidth = 1.5 * ratio;
    for (const level of plot.levels) {
      ctx.strokeStyle = colours.calm;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(u.bbox.left, y(level.value));
      ctx.lineTo(u.bbox.left + u.bbox.width, y(level.value));
      ctx.stroke();
    }
    ctx.setLineDash([]);
    plot.series.forEach((series, number) => {
      const aside = series.joined ? 0 : (number - (plot.series.length - 1) / 2) * GAP * ratio;
      if (plot.unit === "n" && !series.joined) return;
      ctx.strokeStyle = ctx.fillStyle = colour(series);
      const known = plot.at.map((at, place) => place).filter((place) => series.low[place] !== null);
      if (series.joined && known.length > 1) {
        ctx.globalAlpha = 0.15;
        ctx.beginPath();
        known.forEach((place) => ctx.lineTo(u.valToPos(plot.at[place], "x", true), y(series.high[place])));
        known.reverse().forEach((place) => ctx.lineTo(u.valToPos(plot.at[place], "x", true), y(series.low[place])));
        ctx.fill();
        ctx.globalAlpha = 1;
        return;
      }
      plot.at.forEach((at, place) => {
        if (series.values[place] === null) return;
        const x = u.valToPos(at, "x", true) + aside;
        if (series.low[place] !== null) {
          ctx.beginPath();
          ctx.moveTo(x, y(series.low[place]));
          ctx.lineTo(x, y(series.high[place]));
          ctx.stroke();
        }
        if (series.joined) return;
        ctx.beginPath();
        ctx.arc(x, y(series.values[place]), 4 * ratio, 0, 2 * Math.PI);
        ctx.fillStyle = series.hollow ? colours.surface : colour(series);
        ctx.fill();
        ctx.stroke();
      });
    });
    ctx.restore();
  }

  class Drawing {
    constructor(stage, readout) {
      this.stage = stage;
      this.readout = readout;
      this.place = null;
      drawings.add(this);
      stage.addEventListener("keydown", (event) => this.key(event));
      stage.addEventListener("blur", () => this.point(null));
      new ResizeObserver(() => {
        if (this.u && stage.clientWidth && stage.clientWidth !== this.u.width) this.u.setSize({ width: stage.clientWidth, height: HEIGHT });
      }).observe(stage);
    }

    show(plot) {
      const same = this.u && this.plot.series.length === plot.series.length && this.plot.scale === plot.scale && this.plot.why === plot.why
        && plot.series.every((each, at) => each.joined === this.plot.series[at].joined);
      this.plot = plot;
      if (same) {
        this.u.setData(this.data());
        this.point(this.place);
      } else this.rebuild();
    }

    data() {
      return [this.plot.at, ...this.plot.series.map((each) => each.values)];
    }

    rebuild() {
      if (!this.plot) return;
      if (this.u) this.u.destroy();
      this.u = null;
      const shown = !this.plot.why && this.plot.at.length > 0;
      this.stage.hidden = !shown;
      if (!shown) return;
      this.stage.replaceChildren();
      const drawing = this;
      this.u = new uPlot({
        width: this.stage.clientWidth || 320,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: { x: { time: this.plot.scale === "time", range: () => sides(drawing.plot) }, y: { range: () => bounds(drawing.plot) } },
        tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "Etc/UTC"),
        axes: [xAxis(this), yAxis(this.plot)],
        series: [{}, ...this.plot.series.map((each) => shape(this, each))],
        hooks: {
          draw: [(u) => paintIntervals(u, drawing)],
          setCursor: [(u) => { if (!drawing.moving) drawing.tell(u.cursor.idx); }],
        },
      }, this.data(), this.stage);
    }

    // the figures under the cursor, in the words of the table
    tell(place) {
      this.place = place === undefined ? null : place;
      const { plot } = this;
      const known = this.place !== null && plot.labels[this.place] !== undefined;
      const figures = known ? plot.series.map((each) => `${plot.series.length > 1 ? `${each.name}: ` : ""}${each.words[this.place]}${each.more[this.place] ? ` (${each.more[this.place]})` : ""}`) : [];
      const said = known ? `${plot.x} ${plot.labels[this.place]}: ${figures.join("; ")}` : "";
      this.readout.textContent = said;
      this.stage.setAttribute("aria-valuemax", String(Math.max(plot.at.length, 1)));
      this.stage.setAttribute("aria-valuenow", String((this.place ?? 0) + 1));
      this.stage.setAttribute("aria-valuetext", said || plot.title);
    }

    point(place) {
      if (!this.u) return;
      this.moving = true;
      const left = place === null || place >= this.plot.at.length ? -10 : this.u.valToPos(this.plot.at[place], "x");
      this.u.setCursor({ left, top: left < 0 ? -10 : 0 });
      this.moving = false;
      this.tell(left < 0 ? null : place);
    }

    key(event) {
      const last = this.plot.at.length - 1, now = this.place ?? (event.key === "ArrowLeft" ? last + 1 : -1);
      const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: 0, End: last, PageUp: now + 10, PageDown: now - 10 }[event.key];
      if (event.key === "Escape") this.point(null);
      else if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      else this.point(Math.max(0, Math.min(last, to)));
      event.preventDefault();
    }
  }

  // -- a figure: title, words, drawing and table ------------------------------------------------------------
  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function table(figure, plot) {
    const head = element("tr"), first = element("th", plot.x);
    first.scope = "col";
    head.append(first, ...plot.series.map((each) => {
      const th = element("th", each.name, "number");
      th.scope = "col";
      return th;
    }));
    const rows = plot.labels.map((label, place) => {
      const row = element("tr"), th = element("th");
      th.scope = "row";
      th.append(element("bdi", label));
      row.append(th, ...plot.series.map((each) => {
        const td = element("td", each.words[place], "number");
        if (each.more[place]) td.append(" ", element("span", each.more[place], "small muted"));
        return td;
      }));
      return row;
    });
    figure.querySelector("thead").replaceChildren(head);
    figure.querySelector("tbody").replaceChildren(...rows);
  }

  function key(plot) {
    const swatch = (kind) => element("span", "", `swatch ${kind}`);
    const item = (kind, text) => {
      const li = element("li");
      li.append(swatch(kind), ` ${text}`);
      return li;
    };
    const series = plot.series.length > 1 ? plot.series.map((each) => item(each.hollow ? "hollow" : "full", each.name)) : [];
    return [...series, ...plot.levels.map((level) => item("level", level.name))];
  }

  function fill(figure, plot) {
    const text = JSON.stringify(plot);
    if (figure.known === text) return false;
    const part = (name) => figure.querySelector(`[data-part="${name}"]`);
    if (!figure.drawing) {
      const stage = part("stage");
      stage.tabIndex = 0;
      stage.setAttribute("role", "slider");
      stage.setAttribute("aria-valuemin", "1");
      stage.setAttribute("aria-label", plot.title);
      figure.drawing = new Drawing(stage, part("readout"));
    }
    figure.known = text;
    part("title").textContent = plot.title;
    part("says").textContent = plot.says;
    part("why").textContent = plot.why;
    part("key").replaceChildren(...(plot.why ? [] : key(plot)));
    figure.querySelector("details").hidden = Boolean(plot.why);
    figure.drawing.show(plot);
    figure.drawing.tell(figure.drawing.place);
    table(figure, plot);
    return true;
  }

  // -- keeping up -------------------------------------------------------------------------------------------
  function follow(section) {
    const shortest = Number(section.dataset.every) || 4, template = section.querySelector("template");
    const lost = section.querySelector("[data-lost]"), none = section.querySelector("[data-none]");
    let wait = shortest, etag = "", timer = 0;

    function take(found) {
      let changed = false;
      for (const plot of found.plots) {
        let figure = [...section.querySelectorAll("figure[data-plot]")].find((each) => each.dataset.plot === plot.key);
        if (!figure) {
          figure = template.content.firstElementChild.cloneNode(true);
          figure.dataset.plot = plot.key;
          figure.querySelector("[data-part=csv]").href = section.dataset.csv.replace("KEY", plot.key);
          template.before(figure);
        }
        changed = fill(figure, plot) || changed;
      }
      if (none) {
        none.hidden = found.plots.length > 0;
        none.textContent = found.why;
      }
      return changed;
    }

    async function look() {
      try {
        const headers = etag ? { "If-None-Match": etag } : {};
        const answer = await fetch(section.dataset.plots, { headers, cache: "no-store", credentials: "same-origin" });
        if (answer.status !== 304 && !answer.ok) throw new Error(String(answer.status));
        const changed = answer.status === 200 && take(await answer.json());
        etag = answer.headers.get("ETag") || "";
        wait = changed ? shortest : Math.min(wait * 1.5, LONGEST);
        lost.hidden = true;
      } catch {
        wait = Math.min(wait * 2, AFTER_TROUBLE);
        lost.hidden = false;
      }
      if (!("still" in section.dataset) || !lost.hidden) later();
    }

    function later() {
      window.clearTimeout(timer);
      if (!document.hidden) timer = window.setTimeout(look, wait * 1000);
    }
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) window.clearTimeout(timer);
      else if (!("still" in section.dataset)) {
        wait = shortest;
        look();
      }
    });
    look();
  }

  for (const section of document.querySelectorAll("[data-plots]")) follow(section);
})();
