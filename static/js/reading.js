// What a comparison needs only on demand: answers that appear at a set speed, and the words in which they differ.
"use strict";

// Show the answers of the task before the rater word by word, at so many words a second. The whole text has its
// place from the beginning, so that nothing jumps: blocks to come are invisible, and in the block that is being
// written a highlight hides the words to come.
Touchstone.stream = (shell, rate) => {
  const task = shell.task(), field = shell.form().elements.display_rate, button = task.querySelector("[data-toggle=all]");
  const BLOCKS = "p, li, pre, tr, blockquote, h3, h4, h5, h6, hr, figure, math";
  const texts = [...task.querySelectorAll(".answer .rendered")].map((answer) => {
    answer.querySelectorAll(BLOCKS).forEach((block) => block.classList.add("unseen"));
    const nodes = [], walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const words = [...walker.currentNode.data.matchAll(/\S+/g)].map((match) => match.index + match[0].length);
      if (words.length) nodes.push({ node: walker.currentNode, words, before: nodes.length ? nodes.at(-1).before + nodes.at(-1).words.length : 0 });
    }
    return { answer, nodes, total: nodes.length ? nodes.at(-1).before + nodes.at(-1).words.length : 0, at: 0 };
  });
  const hidden = window.Highlight && CSS.highlights ? new Highlight() : null;
  if (hidden) CSS.highlights.set("unseen", hidden);
  let shown = 0, last = performance.now(), done = false;

  function reveal(text) {
    while (text.at < text.nodes.length && text.nodes[text.at].before < shown) {
      for (let block = text.nodes[text.at].node.parentElement; block && block !== text.answer; block = block.parentElement) block.classList.remove("unseen");
      text.at++;
    }
    const piece = text.nodes[text.at - 1];
    if (!hidden || !piece) return;
    const range = new Range(), end = piece.words[Math.min(Math.floor(shown - piece.before), piece.words.length) - 1] ?? 0;
    range.setStart(piece.node, end);
    range.setEndAfter(text.answer.lastChild);
    hidden.add(range);
  }

  function step(now) {
    if (done) return;
    if (!task.isConnected) return stop();
    if (document.visibilityState === "visible") shown += Math.min(now - last, 1000) / 1000 * rate;
    last = now;
    hidden?.clear();
    texts.forEach(reveal);
    if (texts.every((text) => shown >= text.total)) return stop();
    requestAnimationFrame(step);
  }

  function stop() {
    done = true;
    hidden?.clear();
    task.querySelectorAll(".unseen").forEach((block) => block.classList.remove("unseen"));
    button.hidden = true;
  }

  task.addEventListener("showall", () => {
    if (done) return;
    field.value = 0;
    stop();
    shell.changed();
  });
  button.hidden = false;
  requestAnimationFrame((now) => { last = now; step(now); });
};

// Mark in the raw text of both answers the words that the other lacks, or take the marks away; tells which.
Touchstone.markDifferences = (shell) => {
  const answers = shell.task().querySelector(".answers"), sources = [...answers.querySelectorAll(".answer .source .plain")];
  if (answers.classList.contains("diff")) {
    sources.forEach((source) => { source.innerHTML = source.plainHtml; });
    answers.classList.remove("diff");
    return false;
  }
  const parts = sources.length === 2 ? wordDiff(sources[0].textContent, sources[1].textContent) : null;
  if (!parts) {
    shell.say(document.getElementById("work").dataset.tooDifferent, "warning");
    return false;
  }
  ["-", "+"].forEach((kind, side) => {
    sources[side].plainHtml = sources[side].innerHTML;
    sources[side].replaceChildren(...parts.filter(([of]) => of === "=" || of === kind).map(([of, text]) => {
      if (of === "=") return document.createTextNode(text);
      return Object.assign(document.createElement("mark"), { textContent: text });
    }));
  });
  answers.classList.add("diff");
  return true;
};
