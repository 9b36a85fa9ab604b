"""Controls: the same run without instructions, with those of other tasks, from random parameters, without rationales,
and with the held-out tasks among those trained on. What each of them loses or gains is what the thing itself does."""

from collections.abc import Iterator, Sequence

from flan_jax.sweeps.report import compared as sides
from flan_jax.sweeps.report.axes import CONTROL_AXIS, UNTUNED
from flan_jax.sweeps.report.axis_findings import changed
from flan_jax.sweeps.report.claims import claim
from flan_jax.sweeps.report.compared import Compared
from flan_jax.sweeps.report.figure import Figure, Finding
from flan_jax.sweeps.report.reading import RANK, SWAP, VALID, Reading

TUNED, NONE, SHUFFLED, RANDOM, NO_COT, CEILING = "tuned", "none", "shuffled", "random", "no_cot", "ceiling"
LABELS = {
  UNTUNED: "base",
  NONE: "no instructions",
  SHUFFLED: "wrong instructions",
  RANDOM: "random start",
  NO_COT: "no rationales",
  TUNED: "tuned",
  CEILING: "ceiling",
}
# (from, to, what changed between the two, the name of the claim about it).
_CHANGES = (
  (UNTUNED, TUNED, "Tuned instead of the base asked as suits it best", None),
  (NONE, TUNED, "With instructions in the prompts trained on instead of bare inputs", "instructions_are_needed"),
  (SHUFFLED, TUNED, "With each task's own instructions instead of those of other tasks", None),
  (RANDOM, TUNED, "Begun with the base instead of random parameters", None),
  (TUNED, CEILING, "With these tasks among those trained on instead of held out", "own_tasks_are_better"),
)
# (measure, what it counts, which of the changes are told by it). Of the first, who does not read the instruction has
# nothing, and who guesses anew each time the product of both chances.
_OTHERWISE = (
  (SWAP, "with credit only for what is right under both of two instructions", _CHANGES[:3]),
  (RANK, "with the likeliest of the choices taken for the answer", _CHANGES[:2]),
  (VALID, "with credit for any answer in the form asked for", _CHANGES[:2]),
)


def control_figure(reading: Reading) -> Figure | None:
  """The figure of the axis `control`; None where no sweep has it, or nothing is measured yet."""
  found = sides.compared(reading, sides.Axis(CONTROL_AXIS, LABELS, own_tasks=[CEILING]))
  if not found:
    return None
  ladder = next(iter(reading.ladders.values()), ())
  first = next(measure for measure in reading.measures if measure.mixture)
  of_ladder = [(name, first.variant, "") for name in reversed(ladder)]  # the last rung at the front
  main = next((key for key in of_ladder if key in found.grids), (first.evaluation, first.variant, ""))
  others = [key for key in found.grids if key[1:] == main[1:] and key != main]
  beside = [(main[0], main[1], metric) for metric in (SWAP, VALID, RANK)]
  reasons = [(main[0], "cot", "")]
  findings = [*_findings(found, main, others), *_otherwise(found, main), *_of_rationales(found, main, reasons[0])]
  return sides.figure_of(found, "controls", "Controls", [main, *beside, *reasons, *others], findings)


def _findings(found: Compared, main: tuple[str, str, str], others: Sequence[tuple[str, str, str]]) -> Iterator[Finding]:
  unseen = [key for key in others if found.grids[key].split == "held_out"]
  made = found.of(*main)
  for before, after, what, name in _CHANGES:
    if found.has(made, before, after):
      more = sides.elsewhere(found, before, after, unseen)
      of = claim("controls", name) if name else None
      yield changed(made, [(found.place(before), found.place(after))], what, of, more)


def _otherwise(found: Compared, main: tuple[str, str, str]) -> Iterator[Finding]:
  for metric, counted, changes in _OTHERWISE:
    made = found.of(main[0], main[1], metric)
    for before, after, what, _ in changes:
      if found.has(made, before, after):
        yield changed(made, [(found.place(before), found.place(after))], f"{what}, and {counted}", None)


def _of_rationales(found: Compared, direct: tuple[str, str, str], reasons: tuple[str, str, str]) -> Iterator[Finding]:
  for key, name in ((reasons, "rationales_are_needed"), (direct, "rationales_do_no_harm")):
    made = found.of(*key)
    if found.has(made, NO_COT, TUNED):
      what = "With rationales among the training data instead of without"
      others = [other for other in found.grids if other[1:] == key[1:] and other != key]
      more = sides.elsewhere(found, NO_COT, TUNED, [each for each in others if found.grids[each].split == "held_out"])
      yield changed(made, [(found.place(NO_COT), found.place(TUNED))], what, claim("cot", name), more)
