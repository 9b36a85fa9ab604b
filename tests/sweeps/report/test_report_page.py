"""The page of a report in a real browser: findings, figures, numbers and runs are what was given, and can be read."""

import json

import pytest

from flan_jax.sweeps.report.figures import figures
from flan_jax.sweeps.report.layout import laid_out
from flan_jax.sweeps.report.page import write_page
from flan_jax.sweeps.report.samples import Group, Output, Sample
from tests import chromium
from tests.sweeps.made_up_ladder import CONTROLS, made_up_ladder
from tests.sweeps.made_up_sweep import made_up_table
from tests.sweeps.report import made_up_figures as made_up

NASTY = "</script><script>document.title = 'mine'</script><img src=x onerror=alert(1)>"
ABOUT = {
  "title": "Number of tasks and size",
  "sweeps": [
    {
      "name": "made_up",
      "title": f"Do more tasks help? {NASTY}",
      "axes": [{"name": "tasks", "values": [0, 10, 160], "untuned": 0}],
      "evaluations": [{"name": "held_out", "mixture": "demo_held_out", "examples": 100}],
      "budget": {"kind": "EqualExamples", "examples": 1000},
      "score": "held_out/zero_shot",
    }
  ],
}
OUTPUTS = (Output("base", NASTY, False), Output("base", "", True, f"Told: {NASTY}"), Output("tuned", "x" * 400, True))
SAMPLES = [Group("dev clusters", "a beside b", (Sample("demo.t", "c", f"{NASTY}\nWhat?", NASTY, OUTPUTS),) * 2)]
FAILED = "tasks-160_seed-1"


@pytest.fixture(scope="module")
def table():
  axes = {"tasks": [0, 10, 160], "seed": [0, 1]}
  return made_up_table(axes, questions=20, losses=False, states={FAILED: "failed"})


@pytest.fixture(scope="module")
def path(table, tmp_path_factory):
  path = tmp_path_factory.mktemp("report") / "index.html"
  write_page([figure() for figure in made_up.ALL], table, ABOUT, path, SAMPLES)
  return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
  with chromium.tab(tmp_path_factory.mktemp("chromium")) as tab:
    yield tab


@pytest.fixture
def page(browser, path):
  """The page, just opened; it must have asked for nothing else, and nothing was raised or refused."""
  browser.open(path)
  yield browser
  assert browser.requested == [path.as_uri()]
  assert browser.errors == []


def each(page, selector: str, what: str = "innerText") -> list:
  return page.ask(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.{what})")


def test_findings_come_first_each_with_its_verdict_and_a_link_to_its_figure(page):
  findings = [(figure(), finding) for figure in made_up.ALL for finding in figure().findings]
  findings.sort(key=lambda each: each[1].verdict == "no claim" and not each[1].main)  # these come last, and folded
  assert page.ask("document.querySelector('#findings details').open") is False
  page.click("#findings summary")
  shown = page.ask("[...document.querySelectorAll('#findings li')].map(e => [...e.children].map(c => c.innerText))")
  assert [badge[2:] for badge, _ in shown] == [finding.verdict for _, finding in findings]
  assert [text for _, text in shown] == [f"{finding.sentence} {figure.title}" for figure, finding in findings]
  assert each(page, "#findings a", "hash") == [f"#figure-{figure.name}" for figure, _ in findings]
  tops = page.ask(
    "['#findings', '#figure-tasks', '#runs'].map(s => document.querySelector(s).getBoundingClientRect().top)"
  )
  assert tops == sorted(tops)


def test_each_figure_has_its_panels_sentence_notes_and_pictures(page):
  for figure in (make() for make in made_up.ALL):
    panels = laid_out(figure)
    assert page.count(f"#figure-{figure.name} svg .mark") == sum(
      len(line.marks) for panel in panels for line in panel.lines
    )
    assert page.text(f"#figure-{figure.name} h2") == " ".join(figure.title.split())
    shown = page.text(f"#figure-{figure.name}")
    for text in (*(finding.sentence for finding in figure.findings), *figure.notes):
      assert text in shown
    assert each(page, f"#figure-{figure.name} .files a", "innerText") == [f"{figure.name}.png", f"{figure.name}.svg"]


def test_a_point_tells_about_itself_to_the_pointer_and_to_the_keyboard(page):
  page.hover("#figure-tasks .mark")
  assert page.text(".tip") == "small, 0 tasks\n3 seeds"
  page.hover("#figure-tasks .panel:nth-child(2) .mark")
  assert page.text(".tip") == "at 9\n0.081"
  page.ask("document.querySelector('#figure-clusters .chart svg').focus()")
  for expected in ("cluster 0", "cluster 0", "cluster 1"):  # two series, then the next row
    page.press("ArrowDown")
    assert page.text(".tip").startswith(f"at {expected}")
  page.press("ArrowUp")
  assert page.text(".tip").startswith("at cluster 0")


def test_the_papers_points_are_open_and_named(page):
  assert page.count("#figure-tasks .panel:nth-child(1) .published") == 0
  assert page.count("#figure-tasks .panel:nth-child(2) .published") == 3
  assert f"Flan-PaLM 8B ({made_up.PAPER})" in each(page, "#figure-tasks .legend em")


def test_marks_stand_where_their_numbers_are(page):
  """Read off the ticks: pixels between them are in proportion."""
  ticks = page.ask(
    "[...document.querySelectorAll('#figure-compute svg .grid')].map(e => Number(e.getAttribute('y1')))"
  )  # powers of ten
  marks = page.ask(
    "[...document.querySelectorAll('#figure-compute svg .mark .hit')].map(e => Number(e.getAttribute('cy')))"
  )
  panel = laid_out(made_up.compute())[0]
  decade = (ticks[0] - ticks[-1]) / (panel.y.high - panel.y.low)
  expected = [ticks[0] - (mark.y - panel.y.low) * decade for line in panel.lines for mark in line.marks]
  assert marks == pytest.approx(expected, abs=0.01)


def test_numbers_of_a_figure_are_in_its_table(page):
  assert page.ask("document.querySelector('#figure-tasks details').open") is False
  page.click("#figure-tasks summary")
  rows = page.ask(
    "[...document.querySelectorAll('#figure-tasks tbody tr')].map(r => [...r.cells].map(c => c.innerText))"
  )
  assert rows[0] == ["small", "0", "31.0%", "29.0 to 33.0", "here"]
  assert rows[-1] == ["Flan-PaLM 8B", "1,836", "15.8%", "–", made_up.PAPER]
  assert len(rows) == 2 * 5 + 3


def test_runs_are_listed_with_their_scores_and_sort(page, table):
  heads = [text.strip() for text in each(page, "#runs th")]
  score = heads.index("Score")
  column = "[...document.querySelectorAll('#runs tbody tr')].map(r => r.cells[%d].innerText)"
  known = {
    row["run"]: f"{100 * row['value']:.1f}%"
    for row in table.to_pylist()
    if row["quantity"] == "score" and not row["task"] and not row["cluster"] and row["variant"] == "zero_shot"
  }
  shown = dict(zip(page.ask(column % heads.index("Run")), page.ask(column % score), strict=True))
  assert shown == {**known, FAILED: "–"}
  assert dict(zip(shown, page.ask(column % heads.index("State")), strict=True))[FAILED] == "failed"
  for order in ("ascending", "descending"):
    page.click(f"#runs th:nth-child({score + 1}) button")
    assert each(page, "#runs th[aria-sort]", "ariaSort") == [order]
    shares = [float(text[:-1]) for text in page.ask(column % score) if text != "–"]
    assert shares == sorted(shares, reverse=order == "descending")
    assert page.ask(column % score)[-1] == "–"  # what is not known comes last either way


def test_what_was_run_is_told(page):
  assert page.text("h1") == ABOUT["title"]
  assert page.text("#about").startswith("6 runs: 5 finished, 1 failed. Training took ")
  page.click("#sweeps summary")
  shown = page.text("#sweeps")
  for text in ("0, 10, 160 (0: untuned)", "demo_held_out, 100 examples a task", "the same 1,000 examples", NASTY):
    assert text in shown
  assert page.count("#sweeps img") == 0
  assert page.ask("document.title") == ABOUT["title"]


def test_samples_stand_beside_each_other_whatever_is_in_them(page):
  assert each(page, ".sample .text")[:4] == [f"{NASTY}\nWhat?", NASTY, f"Told: {NASTY}", "(nothing)"]
  assert [text.rpartition(" ")[2] for text in each(page, ".outputs p:first-child")[:3]] == ["wrong", "right", "right"]
  assert "asked as suits it best" in each(page, ".outputs p:first-child")[1]
  assert page.count("#samples img, #samples script") == 0
  assert page.text("#samples summary") == "dev clusters: a beside b"


@pytest.fixture(scope="module")
def rungs(tmp_path_factory):
  """The page of a sweep of controls on a ladder."""
  path = tmp_path_factory.mktemp("ladder") / "index.html"
  table = made_up_ladder({"control": CONTROLS, "seed": [0]})
  write_page(figures(table), table, {"title": "Controls"}, path)
  return path


@pytest.mark.parametrize("width", [380, 800, 1600])
@pytest.mark.parametrize("of", ["path", "rungs"])
def test_charts_fit_the_window_and_their_labels_do_not_overlap(browser, request, of, width):
  page = browser
  page.open(request.getfixturevalue(of), width=width)
  assert page.ask("document.documentElement.scrollWidth <= innerWidth")
  assert min(page.ask("[...document.querySelectorAll('svg[role]')].map(e => e.getBoundingClientRect().width)")) >= 280
  overlapping = page.ask(
    """[...document.querySelectorAll('.panel svg')].flatMap(svg => {
      const boxes = [...svg.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
      return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([b, q]) => a && b && p.left < q.right &&
        q.left < p.right && p.top + 2 < q.bottom && q.top + 2 < p.bottom).map(([b]) => [a, b]));
    })"""
  )
  assert overlapping == []


def test_a_new_width_draws_anew(page):
  before = page.ask("document.querySelector('#figure-tasks svg').getAttribute('width')")
  page.call("Emulation.setDeviceMetricsOverride", width=500, height=900, deviceScaleFactor=1, mobile=False)
  page.wait(f"document.querySelector('#figure-tasks svg').getAttribute('width') !== '{before}'")


def test_on_paper_all_stands_open_but_numbers_that_were_closed(page):
  page.click("#figure-tasks summary")
  page.ask("dispatchEvent(new Event('beforeprint'))")
  assert page.count("details:not([open])") == len(made_up.ALL) - 1
  assert page.ask("document.querySelector('#figure-tasks .numbers').open")


def test_nothing_runs_over_the_paper(page, path):
  page.emulate(media="print")
  page.open(path, width=720)  # A4 within usual margins, in CSS pixels
  page.ask("dispatchEvent(new Event('beforeprint'))")
  assert page.ask("document.documentElement.scrollWidth") <= 720
  page.emulate()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(page, scheme):
  page.emulate(scheme)
  colours = page.ask(
    "['body', '#findings .badge', '#about', 'svg .quiet'].map(s => { const c = getComputedStyle("
    "document.querySelector(s)); return s.startsWith('svg') ? c.fill : c.color; }).concat("
    "getComputedStyle(document.body).backgroundColor)"
  )
  luminances = [_luminance([int(part) for part in colour[4:-1].split(",")]) for colour in colours]
  for luminance in luminances[:-1]:
    dark, light = sorted((luminance, luminances[-1]))
    assert (light + 0.05) / (dark + 0.05) >= 4.5
  page.emulate("light")


def _luminance(rgb) -> float:
  parts = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in rgb]
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_the_same_content_gives_the_same_bytes(path, table, tmp_path):
  write_page([figure() for figure in made_up.ALL], table, ABOUT, tmp_path / "again.html", SAMPLES)
  assert (tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_nothing_else_can_run_in_it(browser, path):
  browser.open(path)
  browser.ask("""document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="document.title = 1">')""")
  browser.ask("new Promise(done => setTimeout(done, 100))")
  assert browser.ask("document.title") == ABOUT["title"]
  assert any("Content Security Policy" in error for error in browser.errors)  # so these tests would see a violation


def test_a_report_without_figures_still_lists_its_runs(browser, table, tmp_path):
  write_page([], table, {"title": "Nothing yet"}, tmp_path / "index.html")
  browser.open(tmp_path / "index.html")
  assert browser.count("#runs tbody tr") == 6
  assert browser.errors == []
