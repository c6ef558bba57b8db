// Word differences between two texts: wordDiff(before, after) gives [["=" | "-" | "+", text], …], null when they
// differ in too much to compare live; wordDiff.words splits a text and wordDiff.distance counts the words that
// changed, both exactly as labeling/words.py does on the server.
"use strict";
const wordDiff = (() => {
  const MOST_STEPS = 3000;  // what Myers' method keeps grows with the square of the difference
  const MOST_CELLS = 200_000_000;
  const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff";
  const SIGN = "!-\\/:-@\\[-^`{-~\\xa1-\\xbf\\xd7\\xf7\\u05be\\u05c0\\u05c3\\u05f3\\u05f4\\u060c\\u061b\\u061f\\u066a-\\u066d\\u06d4\\u0964\\u0965\\u2010-\\u2027\\u2030-\\u205e\\u20a0-\\u20bf\\u2190-\\u23ff\\u3001-\\u3004\\u3008-\\u3020\\u30fb\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65";
  const ALONE = "\\u3040-\\u30fa\\u30fc-\\u30ff\\u3400-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
  const JOINED = "\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff";
  const MARKS = "\\u0e31\\u0e34-\\u0e3a\\u0e47-\\u0e4e\\u0eb1\\u0eb4-\\u0ebc\\u0ec8-\\u0ece\\u102b-\\u103e\\u1056-\\u1059\\u17b4-\\u17d3";
  const WORD = `[${ALONE}]|[${JOINED}][${MARKS}]*|[^${SPACE}${SIGN}${ALONE}${JOINED}]+|[${SIGN}]`;
  const words = (text) => text.match(new RegExp(WORD, "gu")) || [];
  const pieces = (text) => text.match(new RegExp(`[${SPACE}]+|${WORD}`, "gu")) || [];

  // what two lists have in common at their ends needs no comparing
  function ends(a, b) {
    let start = 0, end = 0;
    while (start < a.length && start < b.length && a[start] === b[start]) start++;
    while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    return [start, end];
  }

  // E. Myers, An O(ND) Difference Algorithm and Its Variations, 1986: the furthest point reached on each diagonal
  function furthest(a, b) {
    const most = Math.min(a.length + b.length, MOST_STEPS);
    const reached = new Int32Array(2 * most + 3), kept = [];
    for (let d = 0; d <= most; d++) {
      kept.push(reached.slice(most + 1 - d, most + 2 + d));
      for (let k = -d; k <= d; k += 2) {
        const down = k === -d || (k !== d && reached[most + k] < reached[most + k + 2]);
        let x = down ? reached[most + k + 2] : reached[most + k] + 1, y = x - k;
        while (x < a.length && y < b.length && a[x] === b[y]) { x++; y++; }
        reached[most + 1 + k] = x;
        if (x >= a.length && y >= b.length) return kept;
      }
    }
    return null;
  }

  function middle(a, b) {
    const kept = furthest(a, b);
    if (!kept) return null;
    const parts = [];
    let x = a.length, y = b.length;
    for (let d = kept.length - 1; d > 0; d--) {
      const before = kept[d], k = x - y;  // before[d + k] is what diagonal k had reached in d - 1 steps
      const at = (diagonal) => before[d + diagonal] ?? -1;
      const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
      const fromX = down ? at(k + 1) : at(k - 1), fromY = fromX - (down ? k + 1 : k - 1);
      while (x > fromX && y > fromY && x > 0 && y > 0 && a[x - 1] === b[y - 1]) { parts.push(["=", a[--x]]); y--; }
      parts.push(down ? ["+", b[--y]] : ["-", a[--x]]);
    }
    while (x > 0) { parts.push(["=", a[--x]]); }
    return parts.reverse();
  }

  function compare(before, after) {
    const a = pieces(before), b = pieces(after), [start, end] = ends(a, b);
    const between = middle(a.slice(start, a.length - end), b.slice(start, b.length - end));
    if (!between) return null;
    const same = (list) => list.map((word) => ["=", word]);
    const parts = [...same(a.slice(0, start)), ...between, ...same(a.slice(a.length - end))];
    // neighbours of one kind become one piece
    return parts.reduce((runs, [kind, text]) => {
      const last = runs[runs.length - 1];
      if (last && last[0] === kind) last[1] += text; else runs.push([kind, text]);
      return runs;
    }, []);
  }

  // H. Hyyrö, A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances, 2003
  function distance(before, after) {
    const a = words(before), b = words(after), [start, end] = ends(a, b);
    const from = a.slice(start, a.length - end), to = b.slice(start, b.length - end);
    if (!from.length || !to.length) return from.length + to.length;
    if (from.length * to.length > MOST_CELLS) return null;
    const all = (1n << BigInt(from.length)) - 1n, last = 1n << BigInt(from.length - 1), places = new Map();
    from.forEach((word, i) => places.set(word, (places.get(word) || 0n) | (1n << BigInt(i))));
    let up = all, down = 0n, count = from.length;
    for (const word of to) {
      const here = places.get(word) || 0n, across = ((((here & up) + up) ^ up) | here) | down;
      let more = down | (all & ~(across | up)), less = up & across;
      if (more & last) count++; else if (less & last) count--;
      more = ((more << 1n) | 1n) & all;
      less = (less << 1n) & all;
      up = less | (all & ~(across | more));
      down = more & across;
    }
    return count;
  }

  return Object.assign(compare, { words, distance });
})();
