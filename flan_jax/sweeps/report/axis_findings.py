"""What the figure of an axis says: the effect that its paper's finding is about, with interval and verdict.

Where there are several series (sizes, say), an effect is its mean over them, each weighing alike.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from flan_jax.sweeps.report import axes, fits, published_points
from flan_jax.sweeps.report.axes import Kind
from flan_jax.sweeps.report.cells import Grid, Place
from flan_jax.sweeps.report.claims import Claim, claim
from flan_jax.sweeps.report.figure import Finding
from flan_jax.sweeps.report.scales import number
from flan_jax.sweeps.report.statistics import Estimate
from flan_jax.sweeps.report.words import (
  NOT_PRETRAINED,
  asked,
  change,
  finding,
  listed,
  parameters,
  percent,
  points,
  with_interval,
)

Pair = tuple[Place, Place]  # from, to
_TOP = 0.98
_MOSTLY = 0.5  # of the outputs
_EARLY = 282 / 1836  # Chung et al. 2022, section 3: up to 282 of 1,836 tasks most of the gain is there
_NO_GAIN = "The gain over all of these tasks is not surely above 0, so there is none to look for."


def findings(kind: Kind, grids: Sequence[Grid]) -> list[Finding]:
  """The findings of a figure; at least one.

  Args:
    grids: of its measures, the one to look at first at the front.
  """
  of = {
    "tasks": _of_tasks,
    "size": _of_size,
    "examples_per_task": _of_examples,
    "cot": _of_rationales,
    "formats": _of_formats,
  }
  found = list(of.get(kind.figure, _of_any)(kind, grids))
  return found or [_only(grids[0])]


def effect_of(made: Grid, pairs: Sequence[Pair]) -> Estimate:
  """The mean over pairs of the change from the first cell to the second."""
  weights: dict[Place, float] = {}
  for before, after in pairs:
    weights[after] = weights.get(after, 0.0) + 1 / len(pairs)
    weights[before] = weights.get(before, 0.0) - 1 / len(pairs)
  effect = made.estimate(weights)
  return effect.within(-1.0, 1.0) if made.measure.bounded else effect


def changed(made: Grid, pairs: Sequence[Pair], what: str, of: Claim | None, more: str = "") -> Finding:
  """What the second cells score beside the first, with the verdict on a claim; `more` is said before that."""
  effect = effect_of(made, pairs)
  places = [place for pair in pairs for place in pair]
  return judged(made, places, f"{what}, {asked(made)} changes {change(made, pairs, effect)}.{more}", effect, of)


def judged(
  made: Grid, places: Sequence[Place], text: str, effect: Estimate, of: Claim | None, unfit: str = ""
) -> Finding:
  """A finding about these cells, which says before its verdict what the interval does not hold."""
  text = f"{text}{_as_asked(made, places)}{_unanswered(made, places)}"
  if of and all(len(runs) == 1 for runs in made.runs.values()):
    text = f"{text} This is of one seed each."
  return finding(text, effect, of, _stuck(made, places), unfit or (_unfit(made, places, of) if of else ""))


def _unfit(made: Grid, places: Sequence[Place], of: Claim) -> str:
  """Why a claim is not about what these cells were asked, or trained from; '' where it is."""
  if any(not made.trained(place) and not made.runs[place][0].pretrained for place in places):
    return NOT_PRETRAINED
  if made.alone and any(not made.trained(place) for place in places):
    return f"The base was asked in {made.measure.format} prompts alone; others may suit it better."
  if any(made.trained(place) and made.no_answer.get(place, 0.0) > _MOSTLY for place in places):
    return "What is not in that form may be right all the same."
  if not made.fair:
    return "Some of these runs were trained on some of these tasks, which is no fair comparison."
  if of.unseen and made.split == "seen":
    return "All of these tasks were trained on; the finding is about tasks never seen."
  return "One task says nothing of others." if len(made.tasks) == 1 and made.tasks != ("",) else ""


def _as_asked(made: Grid, places: Sequence[Place]) -> str:
  """What the untuned cells would be if they were asked as the others."""
  told = [percent(made.as_asked[place]) for place in dict.fromkeys(places) if place in made.as_asked]
  return f" In {made.measure.format} prompts, as the others were asked, the base scores {listed(told)}." if told else ""


def _unanswered(made: Grid, places: Sequence[Place]) -> str:
  """Which trained cells mostly miss the form that is asked for, so that their scores say little of anything else."""
  told = [
    f"{percent(made.no_answer[place])} ({place[1] if isinstance(place[1], str) else number(place[1])})"
    for place in dict.fromkeys(places)
    if made.trained(place) and made.no_answer.get(place, 0.0) > _MOSTLY
  ]
  return f" Outputs without an answer in the form asked for: {listed(told)}." if told else ""


def _stuck(made: Grid, places: Sequence[Place]) -> str:
  """Why the scores of all these cells could not move; '' where they could."""
  if not any(made.above_chance(place) for place in places):
    return "None of these scores is surely above guessing, so they tell nothing of an effect."
  if made.measure.bounded and all(made.mean(place).value > _TOP for place in places):
    return "All of these scores are near the top, so they tell nothing of an effect."
  return ""


def _nothing(what: str, of: Claim) -> Finding:
  return finding(f"Nothing to compare: {what}.", None, of)


def _of_tasks(kind: Kind, grids: Sequence[Grid]) -> Iterator[Finding]:
  ends, of = _ends(grids[0]), claim("tasks", "more_tasks")
  if ends:
    yield changed(grids[0], ends, f"With {_x(ends, 1)} tasks to train on instead of {_x(ends, 0)}", of)
    yield from _elsewhere(grids[1:])
  else:
    yield _nothing("no series has scores for two numbers of tasks", of)
  yield from _of_tuning(grids[0], claim("tasks", "tuning_helps"))
  yield from _of_first_tasks(grids[0], claim("tasks", "first_tasks_help_most"))
  yield from _of_slopes(grids[0], "tasks", claim("tasks", "log_linear"))
  yield from _of_plane(grids[0])


def _elsewhere(grids: Sequence[Grid]) -> Iterator[Finding]:
  """The same change in other ways of asking, in one sentence."""
  told = [
    f"{made.title[0].lower() if made.measure.mixture else made.title[0]}{made.title[1:]}: {with_interval(effect)}"
    for made in grids
    if (ends := _ends(made)) and (effect := effect_of(made, ends))
  ]
  if told:
    yield finding(f"The same in other ways of asking: {'; '.join(told)}.", None, None)


def _of_tuning(made: Grid, of: Claim) -> Iterator[Finding]:
  pairs = [
    (untuned, trained[-1])
    for series in made.series
    if (untuned := made.untuned(series)) and (trained := made.places(series))
  ]
  if pairs:
    yield changed(made, pairs, f"Tuned on {_x(pairs, 1)} tasks instead of untuned", of)
  else:
    yield _nothing("no untuned run beside tuned ones has a score", of)


def _of_first_tasks(made: Grid, of: Claim) -> Iterator[Finding]:
  """Whether the gain up to about a sixth of the tasks is larger than the one from there on, over series that tell.

  They do where one of their numbers of tasks is within a factor of two of that.
  """
  weights: dict[Place, float] = {}
  told = []
  for series in made.series:
    untuned, trained = made.untuned(series), made.places(series)
    if middle := _near_a_sixth(trained[:-1] if untuned else trained[1:-1], trained):
      told.append((untuned or trained[0], middle, trained[-1]))
  for start, middle, last in told:
    for place, weight in ((middle, 2.0), (start, -1.0), (last, -1.0)):
      weights[place] = weights.get(place, 0.0) + weight / len(told)
  if told:
    early = effect_of(made, [(start, middle) for start, middle, _ in told])
    late = effect_of(made, [(middle, last) for _, middle, last in told])
    difference = made.estimate(weights)
    text = f"Up to {_x([each[:2] for each in told], 1)} tasks the gain is {points(early.value)}, from there to"
    text = f"{text} {_x([each[1:] for each in told], 1)} it is {points(late.value)}; the difference is"
    whole = effect_of(made, [(start, last) for start, _, last in told])
    unfit = "" if whole.low is not None and whole.low > 0 else _NO_GAIN
    yield judged(made, list(weights), f"{text} {with_interval(difference)}.", difference, of, unfit)


def _near_a_sixth(between: Sequence[Place], trained: Sequence[Place]) -> Place | None:
  """The place that is nearest to it, if any is near."""
  off = {place: abs(math.log(place[1] / (_EARLY * trained[-1][1]))) for place in between}
  return min(off, key=off.get) if off and min(off.values()) < math.log(2) else None


def _of_slopes(made: Grid, what: str, of: Claim | None) -> Iterator[Finding]:
  """The mean slope over series that have one."""
  fitted = [each for series in made.series if (each := fits.line(made, made.places(series)))]
  if not fitted:
    return
  weights: dict[Place, float] = {}
  for each in fitted:
    for place, weight in each.weights.items():
      weights[place] = weights.get(place, 0.0) + weight / len(fitted)
  slope = made.estimate(weights)
  over = f", the mean of {len(fitted)} series" if len(fitted) > 1 else ""
  text = (
    f"For ten times the {what}, by a line in their logarithm, {asked(made)} changes by {with_interval(slope)}{over}."
  )
  yield judged(made, list(weights), text, slope, of)


def _of_plane(made: Grid) -> Iterator[Finding]:
  """Tasks and parameters together, where both have three values."""
  places, sizes = [], []
  for place, runs in made.runs.items():
    size = runs[0].facts["parameters"]
    if made.trained(place) and size and place[1]:
      places.append(place)
      sizes.append(size)
  if both := fits.plane(made, places, sizes):
    of_tasks, of_size = both
    text = f"Both fitted together over {len(places)} means, {asked(made)} changes by {with_interval(of_tasks)}"
    text = f"{text} for ten times the tasks and by {with_interval(of_size)} for ten times the parameters."
    yield finding(text, of_tasks, None)


def _of_size(kind: Kind, grids: Sequence[Grid]) -> Iterator[Finding]:
  made = grids[0]
  ends = _ends(made)
  if ends:
    what = f"With {_x(ends, 1, parameters)} parameters instead of {_x(ends, 0, parameters)}, tuned"
    yield changed(made, ends, what, claim("size", "larger_is_better"))
  else:
    yield _nothing("no series has scores for two sizes", claim("size", "larger_is_better"))
  untuned = sorted((place for place in made.runs if not made.trained(place)), key=lambda place: place[1])
  if len(untuned) > 1:
    what = f"With {parameters(untuned[-1][1])} parameters instead of {parameters(untuned[0][1])}, untuned"
    yield changed(made, [(untuned[0], untuned[-1])], what, None)
  yield from _of_tuning_the_largest(made, untuned)
  yield from _of_slopes(made, "parameters", None)


def _of_tuning_the_largest(made: Grid, untuned: Sequence[Place]) -> Iterator[Finding]:
  largest = max(x for _, x in made.runs)
  before = [place for place in untuned if place[1] == largest]
  after = [place for series in made.series for place in made.places(series)[-1:] if place[1] == largest]
  of = claim("size", "tuning_helps_the_largest")
  if before and after:
    what = f"At {parameters(largest)} parameters, tuned instead of untuned"
    yield changed(made, [(before[0], place) for place in after], what, of)
  else:
    yield _nothing("the largest size has no score both tuned and untuned", of)


def _of_examples(kind: Kind, grids: Sequence[Grid]) -> Iterator[Finding]:
  made, of = grids[0], claim("examples_per_task", "examples_matter_little")
  least = published_points.enough_examples()
  enough = [
    (some[0], some[-1])
    for series in made.series
    if len(some := [place for place in made.places(series) if place[1] >= least]) > 1
  ]
  if enough:
    yield changed(made, enough, f"With {_x(enough, 1)} examples a task instead of {_x(enough, 0)}", of)
  else:
    yield _nothing(f"no series has scores for two numbers of at least {least} examples a task", of)
  ends = _ends(made)
  if ends and ends != enough:
    yield changed(made, ends, f"With {_x(ends, 1)} examples a task instead of {_x(ends, 0)}", None)


def _of_rationales(kind: Kind, grids: Sequence[Grid]) -> Iterator[Finding]:
  for reasons in (True, False):
    of = claim("cot", "rationales_are_needed" if reasons else "rationales_do_no_harm")
    some = [made for made in grids if made.measure.reasons == reasons and made.measure.suite]
    told = [(made, pairs) for made in some if (pairs := _pairs(made, axes.WITHOUT, axes.WITH))]
    for made, pairs in told:
      held_against = of if _is_about([made for made, _ in told], made) else None
      yield changed(made, pairs, "With rationales among the training data instead of without", held_against)
    if not told:
      asked_so = "for reasoning first" if reasons else "for the answer directly"
      yield _nothing(f"no prompts that ask {asked_so} have scores both with and without rationales in training", of)


def _of_formats(kind: Kind, grids: Sequence[Grid]) -> Iterator[Finding]:
  for few_shot, alone in ((False, axes.ZERO_SHOT), (True, axes.FEW_SHOT)):
    of = claim("formats", "mixed_helps_few_shot" if few_shot else "mixed_helps_zero_shot")
    some = [made for made in grids if _has_exemplars(made) == few_shot and not made.measure.reasons]
    pairs = [(made, found) for made in some if (found := _mixed(made, alone))]
    for made, found in pairs:
      held_against = of if _is_about([made for made, _ in pairs], made) else None
      yield changed(made, found, f"Trained on both kinds of prompts instead of {alone}", held_against)
    if not pairs:
      kinds = "few-shot" if few_shot else "zero-shot"
      yield _nothing(f"no {kinds} prompts have scores trained on both kinds of prompts and trained {alone}", of)


def _is_about(grids: Sequence[Grid], made: Grid) -> bool:
  """Whether a claim is held against this measure: the papers' are about tasks never seen, where there are any."""
  return made.split != "seen" or all(other.split == "seen" for other in grids)


def _has_exemplars(made: Grid) -> bool:
  """Suites are asked with exemplars, as the paper did; a mixture's formats say it."""
  return not made.measure.mixture or made.measure.variant.startswith("few_shot")


def _mixed(made: Grid, alone: str) -> list[Pair]:
  """From one kind of prompt alone to the mix that is nearest to equal shares."""
  found = []
  for series in made.series:
    mixes = {place: share for place in made.places(series) if (share := _share(place[1])) is not None}
    if (series, alone) in made.runs and mixes:
      found.append(((series, alone), min(mixes, key=lambda place: abs(mixes[place] - 0.5))))
  return found


def _share(category: float | str) -> float | None:
  """Of few-shot prompts in a mix of both; None of a category that is none."""
  if category == axes.BOTH:
    return 0.5
  number, percent_sign, _ = str(category).partition("% few-shot")
  return float(number) / 100 if percent_sign else None


def _of_any(kind: Kind, grids: Sequence[Grid]) -> Iterator[Finding]:
  made = grids[0]
  if kind.scale != "category" and (ends := _ends(made)):
    yield changed(made, ends, f"With {kind.x_label} {_x(ends, 1)} instead of {_x(ends, 0)}", None)
    return
  trained = [place for place in made.runs if made.trained(place)]
  if len(trained) > 1:
    best, worst = (end(trained, key=lambda place: made.mean(place).value) for end in (max, min))
    if best == worst:
      mean = percent(made.mean(best).value)
      yield finding(f"All {len(trained)} means of {asked(made)} are the same, {mean}.", None, None)
      return
    name, other = (f"{x} ({series})" if best[0] != worst[0] else x for series, x in (best, worst))
    what = f"Between the lowest mean, {kind.x_label} {other}, and the highest, {name}"
    told = changed(made, [(worst, best)], what, None)
    yield finding(
      f"{told.sentence} The two were picked by their scores, so the interval flatters.",
      Estimate(told.effect, told.low, told.high),
      None,
    )


def _only(made: Grid) -> Finding:
  """Of a figure with nothing to compare."""
  place = next(iter(made.runs))
  mean = made.mean(place)
  interval = "" if mean.low is None else f" (95% interval {percent(mean.low)} to {percent(mean.high)})"
  text = f"{place[0]}: {percent(mean.value)}{interval} is {asked(made)}; nothing to compare it with."
  return finding(text, None, None)


def _ends(made: Grid) -> list[Pair]:
  """Of each series from the least x that was trained to the most, where these differ."""
  found = []
  for series in made.series:
    places = made.places(series)
    if len(places) > 1 and places[0][1] != places[-1][1]:
      found.append((places[0], places[-1]))
  return found


def _pairs(made: Grid, before: str, after: str) -> list[Pair]:
  return [
    ((series, before), (series, after))
    for series in made.series
    if (series, before) in made.runs and (series, after) in made.runs
  ]


def _x(pairs: Sequence[Pair], end: int, told: Callable[[float], str] = "{:,.10g}".format) -> str:
  """The x of one end of all pairs: '160', or '80 and 160' where a series lacks a cell."""
  return listed([told(x) for x in sorted({pair[end][1] for pair in pairs})])
