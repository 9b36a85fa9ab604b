// The page of a report: findings, a figure each with what it says and its numbers, samples, and the runs.

const report = readable("report");
const VERDICTS = {supports: "✓", contradicts: "✗", "can't tell": "?", "no claim": "·"};

function showHead() {
  byId("title").textContent = document.title;
  byId("about").textContent = report.about;
  byId("sweeps").append(
    ...report.sweeps.map((sweep) =>
      element(
        "table",
        {},
        element("caption", {}, sweep.name),
        sweep.facts.map(([name, value]) =>
          element("tr", {}, element("th", {scope: "row"}, name), element("td", {}, value)),
        ),
      ),
    ),
  );
  byId("sweeps").hidden = !report.sweeps.length;
}

const badge = (verdict) =>
  element("span", {class: `badge ${verdict.replaceAll(/[^a-z]/g, "")}`}, `${VERDICTS[verdict]} ${verdict}`);

/** Every finding before any figure, main ones and those about the papers' claims first; each leads to its own figure. */
function showFindings() {
  const all = report.figures.flatMap((figure) => figure.findings.map((finding) => [figure, finding]));
  const first = ([, finding]) => finding.main || finding.verdict !== "no claim";
  const held = all.filter(first);
  const others = all.filter((each) => !first(each));
  const list = (some) => element("ol", {class: "findings"}, some.map(findingItem));
  byId("findings").append(list(held.length ? held : others));
  if (!held.length || !others.length) return;
  const title = `${others.length} more that no paper claims anything about`;
  byId("findings").append(element("details", {}, element("summary", {}, title), list(others)));
}

const findingItem = ([figure, finding]) =>
  element(
    "li",
    {},
    badge(finding.verdict),
    element("div", {}, `${finding.sentence} `, element("a", {href: `#${idOf(figure)}`}, figure.title)),
  );

function showFigures() {
  byId("figures").append(...report.figures.map(figureSection));
}

/** A figure may be called after any axis, `runs` too. */
const idOf = (figure) => `figure-${figure.name}`;

function figureSection(figure) {
  const heading = `${idOf(figure)}-heading`;
  return element(
    "section",
    {id: idOf(figure), "aria-labelledby": heading, class: "drawn"},
    element("h2", {id: heading}, figure.title),
    element(
      "div",
      {class: "panels"},
      figure.panels.map((panel) =>
        element(
          "figure",
          {class: `panel ${panel.kind}`, "data-panel": figure.panels.indexOf(panel)},
          panel.title ? element("figcaption", {}, panel.title) : null,
          element("div", {class: "chart"}),
          fits(panel),
        ),
      ),
    ),
    legend(signsOf(figure)),
    element(
      "div",
      {class: "finding"},
      figure.findings.map((finding) => [
        element("p", {}, badge(finding.verdict), " ", finding.sentence),
        finding.claim ? element("p", {class: "quiet"}, `Held against: ${finding.claim}`) : null,
      ]),
    ),
    figure.notes.length ? element("h3", {}, "To beware of") : null,
    element(
      "ul",
      {},
      figure.notes.map((text) => element("li", {}, text)),
    ),
    element(
      "details",
      {class: "numbers"},
      element("summary", {}, "Numbers"),
      figure.tables.map((table) =>
        element("div", {class: "wide"}, tableOf(table.columns, table.rows, table.title || null)),
      ),
    ),
    element(
      "p",
      {class: "quiet files"},
      "As a picture: ",
      figure.files.map((file, index) => [index ? ", " : "", element("a", {href: file}, file)]),
    ),
  );
}

/** What a figure's signs mean: each series once, then what all have. */
function signsOf(figure) {
  const all = figure.panels.flatMap((panel) => panel.lines);
  const lines = new Map(all.map((line) => [`${line.name}\n${line.source}`, line]));
  const signs = [...lines.values()].map((line) => [
    drawn(
      "g",
      {class: `hue-${line.hue} ${line.published ? "theirs" : ""}`},
      line.joined && drawn("path", {class: "line", d: "M0,6 L22,6"}),
      line.dense ? null : dot(line.shape),
    ),
    line.published ? `${line.name} (${line.source})` : line.name,
  ]);
  const marked = [...lines.values()].filter((line) => line.marks.some((mark) => mark.low !== null));
  const inRows = figure.panels.every((panel) => panel.kind === "rows");
  const barred = inRows ? whiskerSign : uprightSign;
  if (marked.length) signs.push([marked.every((line) => line.dense) ? bandSign() : barred(), "95% interval"]);
  const level = inRows ? chanceSign() : drawn("path", {class: "chance level", d: "M0,6 L22,6"});
  if (figure.panels.some((panel) => panel.chance !== null)) signs.push([level, "chance"]);
  return signs;
}

/** What the thin lines are, in words. */
function fits(panel) {
  const fitted = panel.lines.filter((line) => line.fit.length && line.fit_text);
  if (!fitted.length) return null;
  return element(
    "ul",
    {class: "fits"},
    fitted.map((line) =>
      element("li", {class: `hue-${line.hue}`}, element("span", {}, `Fit, ${line.name}: ${line.fit_text}`)),
    ),
  );
}

/** Draws all panels as wide as they have room. */
function drawPanels() {
  for (const figure of report.figures) {
    for (const node of byId(idOf(figure)).querySelectorAll(".panel")) {
      const panel = figure.panels[node.dataset.panel];
      const room = node.querySelector(".chart");
      const width = Math.round(Math.max(280, room.clientWidth));
      if (room.dataset.width === String(width)) continue;
      room.dataset.width = width;
      room.replaceChildren(walked(panelChart(panel, `${figure.title}. ${panel.title}`, width)));
    }
  }
}

function panelChart(panel, label, width) {
  const height = Math.max(240, Math.min(380, 0.62 * width));
  if (panel.kind === "columns") return plotChart(panel, label, {width, height});
  const rows = panel.x.categories.map((category, index) => ({
    label: category,
    chance: panel.chance,
    marks: panel.lines.map((line) => rowMark(line, line.marks.find((mark) => Math.round(mark.x) === index))),
  }));
  return stripChart(rows, label, {axis: panel.y, width, told: false});
}

const rowMark = (line, mark) =>
  mark
    ? {
        hue: line.hue,
        shape: line.shape,
        share: mark.y,
        interval: mark.low === null || mark.high === null ? null : [mark.low, mark.high],
        text: mark.text,
      }
    : null;

/**
 * A table whose columns sort by a click on their heads. columns: [{name, figure}]; rows: cells of [what sorts, text],
 * null sorting last.
 */
function tableOf(columns, rows, caption) {
  const body = element("tbody", {});
  const fill = (sorted) =>
    body.replaceChildren(
      ...sorted.map((row) =>
        element(
          "tr",
          {},
          row.map(([, text], index) => element("td", {class: columns[index].figure ? "figure" : null}, text)),
        ),
      ),
    );
  const heads = columns.map((column, index) =>
    element(
      "th",
      {scope: "col", class: column.figure ? "figure" : null},
      element("button", {type: "button", class: "sorter", onclick: () => sortBy(index)}, column.name),
    ),
  );
  const sortBy = (index) => {
    const falling = heads[index].getAttribute("aria-sort") === "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[index].setAttribute("aria-sort", falling ? "descending" : "ascending");
    fill([...rows].sort((a, b) => ordered(a[index][0], b[index][0], falling ? -1 : 1)));
  };
  fill(rows);
  const title = caption ? element("caption", {}, caption) : null;
  return element("table", {}, title, element("thead", {}, element("tr", {}, heads)), body);
}

function ordered(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a - b);
}

/** Prompts with the outputs beside each other, a group an evaluation; the first one is open. */
function showSamples() {
  byId("samples").hidden = !report.samples.length;
  byId("samples").append(
    ...report.samples.map((group, index) =>
      element(
        "details",
        {open: index === 0},
        element("summary", {}, `${group.name}: ${group.about}`),
        element("div", {class: "samples"}, group.samples.map(sampleCard)),
      ),
    ),
  );
}

function sampleCard(sample) {
  return element(
    "article",
    {class: "sample"},
    element("h3", {}, sample.task),
    element("p", {class: "text"}, sample.prompt),
    element("p", {}, element("span", {class: "quiet"}, "Answer: "), sample.target),
    element("div", {class: "outputs"}, sample.outputs.map(outputOf)),
  );
}

const outputOf = (output) =>
  element(
    "div",
    {},
    element(
      "p",
      {},
      output.prompt ? `${output.who}, asked as suits it best: ` : `${output.who}: `,
      element("span", {class: output.correct ? "right" : "wrong"}, output.correct ? "✓ right" : "✗ wrong"),
    ),
    output.prompt ? element("p", {class: "text quiet"}, output.prompt) : null,
    element("p", {class: output.text ? "text" : "text quiet"}, output.text || "(nothing)"),
  );

function showRuns() {
  byId("runs-about").textContent = report.runs.about;
  byId("runs").append(tableOf(report.runs.columns, report.runs.rows, null));
}

showHead();
showFindings();
showFigures();
showSamples();
showRuns();
drawPanels();
new ResizeObserver(drawPanels).observe(byId("figures"));
// On paper all of it stands open, but for numbers that a reader has left closed.
addEventListener("beforeprint", () => {
  document.querySelectorAll("details:not(.numbers)").forEach((each) => (each.open = true));
  drawPanels();
});
document.documentElement.dataset.ready = "";
