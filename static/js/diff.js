// Word differences between two texts, as [["=" | "-" | "+", text], …]; null when they are too long to compare live.
"use strict";
const wordDiff = (() => {
  const LIMIT = 4_000_000;
  const split = (text) => text.match(/[\u3040-\u30ff\u3400-\u9fff]|\s+|[^\s\u3040-\u30ff\u3400-\u9fff]+/g) || [];

  function middle(a, b) {
    const width = b.length + 1;
    const table = new Uint32Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        table[i * width + j] = a[i] === b[j]
          ? table[(i + 1) * width + j + 1] + 1
          : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    const parts = [];
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { parts.push(["=", a[i]]); i++; j++; }
      else if (j === b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) parts.push(["-", a[i++]]);
      else parts.push(["+", b[j++]]);
    }
    return parts;
  }

  return (before, after) => {
    const a = split(before), b = split(after);
    let start = 0, end = 0;
    while (start < a.length && start < b.length && a[start] === b[start]) start++;
    while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    const from = a.slice(start, a.length - end), to = b.slice(start, b.length - end);
    if ((from.length + 1) * (to.length + 1) > LIMIT) return null;
    const parts = [
      ...a.slice(0, start).map((word) => ["=", word]),
      ...middle(from, to),
      ...a.slice(a.length - end).map((word) => ["=", word]),
    ];
    // neighbours of one kind become one piece
    return parts.reduce((runs, [kind, text]) => {
      const last = runs[runs.length - 1];
      if (last && last[0] === kind) last[1] += text; else runs.push([kind, text]);
      return runs;
    }, []);
  };
})();
