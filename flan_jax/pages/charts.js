// Charts as SVG: a strip of rows, and plots of lines and marks. Everything that is drawn can be hovered.
// An axis is {label, low, high, ticks: [[place, label], ...]}: places lie evenly between low and high on paper.

const tip = element("div", {class: "tip", role: "status"});
let told = null; // the node that the tip is about
document.body.append(tip);

/** Shows text beside the pointer while it is over a node, or below the node while that has the keyboard's focus. */
function hovered(node, text) {
  const hide = () => told === node && (tip.textContent = ""); // by now it may be about another one
  const show = (x, y) => {
    told = node;
    tip.textContent = text;
    const {width, height} = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${y + 18 + height > innerHeight ? y - height - 10 : y + 18}px`;
  };
  node.setAttribute("aria-label", text);
  node.addEventListener("pointermove", (event) => show(event.clientX, event.clientY));
  node.addEventListener("pointerleave", hide);
  node.addEventListener("focus", () => show(node.getBoundingClientRect().left, node.getBoundingClientRect().bottom));
  node.addEventListener("blur", hide);
  return node;
}

/** What the colours and signs mean: [[sign's svg nodes or a hue's number, name], ...]. */
function legend(entries) {
  const sign = (what) =>
    drawn(
      "svg",
      {width: 22, height: 12, class: typeof what === "number" ? `hue-${what}` : "", "aria-hidden": true},
      typeof what === "number" ? dot("circle") : what,
    );
  return element(
    "div",
    {class: "legend"},
    entries.map(([what, name]) => element("span", {}, sign(what), element("em", {}, name))),
  );
}

const chanceSign = () => drawn("line", {class: "chance", x1: 11, x2: 11, y1: 0, y2: 12});
const publishedSign = (x = 11, y = 6) =>
  drawn("path", {class: "published", d: `M${x - 5},${y} L${x},${y - 5} L${x + 5},${y} L${x},${y + 5} Z`});
const whiskerSign = () => drawn("line", {class: "whisker", x1: 1, x2: 21, y1: 6, y2: 6});
const uprightSign = () => drawn("line", {class: "whisker", x1: 11, x2: 11, y1: 0, y2: 12});
const bandSign = () => drawn("rect", {class: "band", x: 1, width: 20, y: 1, height: 10});

/** A mark of one of layout.py's shapes; 'diamond' is open: somebody else's figure. */
function dot(shape, x = 11, y = 6) {
  if (shape === "diamond") return publishedSign(x, y);
  if (shape === "circle") return drawn("circle", {class: "dot", cx: x, cy: y, r: 4.5});
  if (shape === "square") return drawn("rect", {class: "dot", x: x - 4.2, y: y - 4.2, width: 8.4, height: 8.4});
  const tip = shape === "up" ? -5 : 5;
  return drawn("path", {class: "dot", d: `M${x - 5},${y - 0.8 * tip} L${x + 5},${y - 0.8 * tip} L${x},${y + tip} Z`});
}

/** From places of an axis to pixels between two. */
const scale = (axis, start, end) => (place) => start + ((place - axis.low) / (axis.high - axis.low)) * (end - start);

const SHARES = {low: 0, high: 1, ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, percent(share, 0)])};

/**
 * A row a task (or their mean), a mark a series with its interval, published figures as diamonds, chance as a tick.
 * rows: [{label, strong, chance, marks: [{hue, shape, share, interval, published: [share], text}], text, chosen}],
 * shares being places of the axis; null among the marks keeps a series' place free. A row or its marks have a text.
 * chosen is called when a row is clicked.
 */
function stripChart(rows, label, {axis = SHARES, width = 900, told = true} = {}) {
  const left = Math.min(320, 0.42 * width, 30 + 7 * Math.max(...rows.map((row) => row.label.length)));
  const right = told ? 64 : 18,
    top = axis.label ? 42 : 24,
    step = 12 + 9 * Math.max(...rows.map((row) => row.marks.length));
  const x = scale(axis, left, width - right);
  const height = top + step * rows.length + 4;
  const chart = drawn("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label});
  if (axis.label) chart.append(axisName(axis.label, left, width - right));
  const every = tickStep(axis, x);
  const from = Math.max(0, axis.ticks.findIndex(([place]) => place === axis.baseline)); // a baseline keeps its name
  axis.ticks.forEach(([place, name], index) =>
    chart.append(
      drawn("line", {class: gridKind(axis, place), x1: x(place), x2: x(place), y1: top, y2: height}),
      (index - from) % every ? "" : drawn("text", {class: "quiet", x: x(place), y: top - 10, "text-anchor": "middle"}, name),
    ),
  );
  rows.forEach((row, index) =>
    chart.append(stripRow(row, top + step * (index + 0.5), {x, step, left, width, right, told})),
  );
  return chart;
}

/** Of ticks that run to the right every so manieth has room for its name. */
function tickStep(axis, x) {
  const room = Math.min(...axis.ticks.slice(1).map(([place], index) => x(place) - x(axis.ticks[index][0])));
  return Math.max(1, Math.ceil((7.2 * Math.max(...axis.ticks.map(([, name]) => name.length)) + 6) / room));
}

/** Whether a tick's line is that of no difference. */
const gridKind = (axis, place) => (place === axis.baseline ? "base" : "grid");

/** The name of an axis that runs to the right, above it: from its start where it is wide, else ending with it. */
function axisName(name, left, end) {
  const fits = 6.2 * name.length < end - left;
  return drawn("text", {class: "quiet", x: fits ? left : end, y: 12, "text-anchor": fits ? "start" : "end"}, name);
}

function stripRow(row, y, {x, step, left, width, right, told}) {
  const place = (index) => y + 9 * (index - (row.marks.length - 1) / 2);
  const marks = row.marks.filter(Boolean);
  const best = Math.max(...marks.flatMap((mark) => [mark.interval?.[1] ?? mark.share, ...(mark.published ?? [])]));
  const group = drawn(
    "g",
    {class: "row", tabindex: row.chosen ? 0 : null, role: row.chosen ? "link" : null},
    drawn("rect", {class: "stripe", x: 0, y: y - step / 2, width: width - right + 64, height: step}),
    drawn(
      "text",
      {x: left - 12, y: y + 4, "text-anchor": "end", class: row.strong ? "strong" : null},
      shortened(row.label, Math.min(44, Math.floor((left - 20) / 6.2))),
    ),
    row.chance
      ? drawn("line", {
          class: "chance",
          x1: x(row.chance),
          x2: x(row.chance),
          y1: y - step / 2 + 2,
          y2: y + step / 2 - 2,
        })
      : null,
    row.marks.map((mark, index) => mark && stripMark(mark, x, place(index))),
    told &&
      drawn(
        "text",
        {class: "quiet", x: x(best) + 10, y: y + 4},
        marks.map((mark) => (100 * mark.share).toFixed(0)).join(" · "),
      ),
  );
  if (row.chosen) {
    group.addEventListener("click", row.chosen);
    group.addEventListener("keydown", (event) => event.key === "Enter" && row.chosen());
  }
  return row.text ? hovered(group, row.text) : group;
}

function stripMark(mark, x, y) {
  const nodes = [
    mark.interval
      ? drawn("line", {class: "whisker", x1: x(mark.interval[0]), x2: x(mark.interval[1]), y1: y, y2: y})
      : null,
    dot(mark.shape ?? "circle", x(mark.share), y),
    (mark.published ?? []).map((share) => publishedSign(x(share), y)),
  ];
  if (!mark.text) return drawn("g", {class: `hue-${mark.hue}`}, nodes);
  const ends = [mark.share, ...(mark.interval ?? [])].map(x);
  const box = {x: Math.min(...ends) - 6, width: Math.max(...ends) - Math.min(...ends) + 12, y: y - 4.5, height: 9};
  const about = {class: `mark hue-${mark.hue}`, role: "img", tabindex: -1};
  return hovered(drawn("g", about, drawn("rect", {class: "hit", ...box}), nodes), mark.text);
}

const shortened = (text, longest) => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text);

/**
 * Curves of shares over a doubling axis, named at their ends. curves: [{label, hue, points: [{x, share, interval,
 * text}]}]; the axis of shares has room for the intervals.
 */
function curveChart(curves, label, axis) {
  const all = curves.flatMap((curve) => curve.points);
  const ns = [...new Set(all.map((point) => point.x))].sort((a, b) => a - b);
  const ticks = ns.map((n) => [Math.log2(n), String(n)]);
  const x = {label: axis, low: 0, high: Math.max(Math.log2(ns.at(-1)), 1), ticks};
  const lines = curves.map((curve) => ({
    hue: curve.hue,
    shape: "circle",
    joined: true,
    end: `${curve.label} ${percent(curve.points.at(-1).share)}`,
    marks: curve.points.map((point) => ({x: Math.log2(point.x), y: point.share, text: point.text})),
  }));
  const y = sharesAxis(all.flatMap((point) => [point.share, ...(point.interval ?? [])]));
  return plotChart({x, y, lines}, label, {width: 760, height: 330, right: 150});
}

/** An axis that has room for some shares: a tick each 20, 10 or 5 points. */
function sharesAxis(shares) {
  const tenths = shares.map((share) => 10 * share);
  const spread = Math.max(...tenths) - Math.min(...tenths);
  const grain = spread > 5 ? 2 : spread > 2 ? 1 : 0.5;
  const low = (grain * Math.floor(Math.min(...tenths) / grain)) / 10;
  const high = Math.max(low + grain / 10, Math.min(1, (grain * Math.ceil(Math.max(...tenths) / grain)) / 10));
  const ticks = [];
  for (let share = low; share <= high + 0.001; share += grain / 10) ticks.push([share, percent(share, 0)]);
  return {low, high, ticks};
}

/**
 * Lines and marks over two axes. panel: {x, y, chance, lines: [{hue, shape, joined, dense, published, fit: [[x, y]],
 * end, marks: [{x, y, low, high, text}]}]}, all in places of the axes, as layout.py has them. A line's `end` is its
 * name, written where it ends; `dense` lines have bands instead of bars.
 */
function plotChart(panel, label, {width = 760, height = 330, right = 16} = {}) {
  const left = Math.max(40, 16 + 6.6 * Math.max(...panel.y.ticks.map(([, name]) => name.length)));
  const top = panel.y.label ? 28 : 12,
    names = namesOf(panel.x, width - left - right),
    bottom = 20 + 14 * Math.max(1, ...names.map(([, lines]) => lines.length)) + (panel.x.label ? 10 : -8);
  const x = scale(panel.x, left, width - right);
  const y = scale(panel.y, height - bottom, top);
  const frame = {x, y, left, end: width - right, floor: height - bottom};
  const chart = drawn("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label});
  drawFrame(chart, panel, names, {...frame, height});
  const ends = apart(
    panel.lines.filter((line) => line.end).map((line) => y(line.marks.at(-1).y)),
    15,
    height - bottom,
  );
  panel.lines.forEach((line, index) => chart.append(plotLine(line, panel, {...frame, endAt: ends[index]})));
  return chart;
}

function drawFrame(chart, {x: xAxis, y: yAxis, chance}, names, {x, y, left, end, floor, height}) {
  const across = (kind, place) => drawn("line", {class: kind, x1: left, x2: end, y1: y(place), y2: y(place)});
  if (yAxis.label) chart.append(drawn("text", {class: "quiet", x: 0, y: 11}, yAxis.label));
  for (const [place, name] of yAxis.ticks) {
    chart.append(
      across(gridKind(yAxis, place), place),
      drawn("text", {class: "quiet", x: left - 8, y: y(place) + 4, "text-anchor": "end"}, name),
    );
  }
  if (typeof chance === "number") chart.append(across("chance level", chance));
  for (const [place, lines] of names) {
    const at = {x: x(place), "text-anchor": "middle"};
    chart.append(
      drawn("line", {class: "tick", x1: at.x, x2: at.x, y1: floor, y2: floor + 4}),
      drawn(
        "text",
        {class: "quiet", y: floor + 6, ...at},
        lines.map((line) => drawn("tspan", {...at, dy: 14}, line)),
      ),
    );
  }
  if (typeof xAxis.gap === "number") {
    const stroke = (at) => `M${at - 5},${floor + 5} L${at},${floor - 5}`;
    const at = x(xAxis.gap);
    chart.append(drawn("path", {class: "break", d: `${stroke(at)} ${stroke(at + 5)}`}));
  }
  if (xAxis.label) {
    const middle = {x: (left + end) / 2, y: height - 5, "text-anchor": "middle"};
    chart.append(drawn("text", {class: "quiet", ...middle}, xAxis.label));
  }
}

/** [place, lines of its label] of an axis' ticks: categories are broken between words, numbers that run together go. */
function namesOf(axis, width) {
  const letter = 6.4,
    pixels = width / (axis.high - axis.low);
  if (axis.categories?.length) {
    const room = Math.max(5, Math.floor((pixels - 6) / letter));
    return axis.ticks.map(([place, name]) => [place, broken(name, room).slice(0, 3)]);
  }
  const kept = [];
  for (const [place, name] of [...axis.ticks].reverse()) {
    const next = kept.at(-1);
    const free = next ? (next[0] - place) * pixels - (letter * (name.length + next[1][0].length)) / 2 : 9;
    if (free > 5) kept.push([place, [name]]);
  }
  return kept;
}

/** A text in lines of at most so many letters; a longer word is shortened. */
function broken(text, room) {
  const lines = [];
  for (const word of text.split(" ")) {
    if (lines.length && `${lines.at(-1)} ${word}`.length <= room) lines[lines.length - 1] += ` ${word}`;
    else lines.push(shortened(word, room));
  }
  return lines;
}

function plotLine(line, panel, {x, y, left, end, endAt}) {
  const path = (points) => points.map(([at, value], index) => `${index ? "L" : "M"}${x(at)},${y(value)}`).join(" ");
  const barred = line.marks.filter((mark) => typeof mark.low === "number" && typeof mark.high === "number");
  const outline = [...barred.map((mark) => [mark.x, mark.high]), ...barred.map((mark) => [mark.x, mark.low]).reverse()];
  const apart = line.marks.filter((mark) => typeof panel.x.gap === "number" && mark.x < panel.x.gap);
  const rest = line.marks.filter((mark) => !apart.includes(mark));
  const last = line.marks.at(-1);
  return drawn(
    "g",
    {class: `hue-${line.hue} ${line.published ? "theirs" : ""}`},
    line.dense && outline.length > 2 ? drawn("path", {class: "band", d: `${path(outline)} Z`}) : null,
    line.fit?.length ? drawn("path", {class: "fit", d: path(line.fit)}) : null,
    line.joined && drawn("path", {class: "line", d: path(rest.map((mark) => [mark.x, mark.y]))}),
    // From an x of 0, which has no place on a log axis, the way is nobody's.
    line.joined && apart.length && rest.length
      ? drawn("path", {class: "line dotted", d: path([apart.at(-1), rest[0]].map((mark) => [mark.x, mark.y]))})
      : null,
    line.marks.map((mark) => plotMark(mark, line, x(mark.x), y)),
    line.end && drawn("text", {x: x(last.x) + 12, y: endAt + 4}, line.end),
  );
}

function plotMark(mark, line, at, y) {
  const barred = !line.dense && typeof mark.low === "number" && typeof mark.high === "number";
  const group = drawn(
    "g",
    {class: line.dense ? "mark faint" : "mark", role: "img", tabindex: -1},
    barred ? drawn("line", {class: "whisker", x1: at, x2: at, y1: y(mark.low), y2: y(mark.high)}) : null,
    drawn("circle", {class: "hit", cx: at, cy: y(mark.y), r: line.dense ? 5 : 9}),
    dot(line.shape, at, y(mark.y)),
  );
  return hovered(group, mark.text);
}

/** Makes a chart's marks reachable by arrow keys, once the chart has the keyboard's focus. */
function walked(chart) {
  const marks = [...chart.querySelectorAll(".mark")];
  let at = -1;
  chart.setAttribute("tabindex", 0);
  chart.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step || !marks.length) return;
    event.preventDefault();
    at = at < 0 ? (step > 0 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length;
    marks[at].focus();
  });
  return chart;
}

/** Heights moved so that they are a gap apart and above the lowest. */
function apart(heights, gap, lowest) {
  const order = heights.map((_, index) => index).sort((a, b) => heights[b] - heights[a]);
  const placed = [...heights];
  order.forEach((each, i) => (placed[each] = Math.min(heights[each], i ? placed[order[i - 1]] - gap : lowest)));
  return placed;
}
