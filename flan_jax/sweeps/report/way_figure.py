"""Three ways to have a task done: finetune on it, prompt a pretrained model, tune on instructions of other tasks."""

from collections.abc import Iterator, Sequence

from flan_jax.sweeps.report import compared as sides
from flan_jax.sweeps.report.axes import WAY_AXIS
from flan_jax.sweeps.report.axis_findings import changed
from flan_jax.sweeps.report.claims import claim
from flan_jax.sweeps.report.compared import Compared
from flan_jax.sweeps.report.figure import Figure, Finding
from flan_jax.sweeps.report.reading import SWAP, VALID, Reading

FINETUNED, PROMPTED, INSTRUCTED = "finetune_one", "prompt_base", "instruct"
LABELS = {
  FINETUNED: "A: tuned on this task",
  PROMPTED: "B: base, prompted",
  INSTRUCTED: "C: tuned on other tasks",
}
# (from, to, what changed between the two, the name of the claim about it).
_CHANGES = (
  (
    PROMPTED,
    INSTRUCTED,
    "Tuned on instructions of others instead of prompting the base",
    "tuning_beats_prompting",
  ),
  (INSTRUCTED, FINETUNED, "Finetuned on one task alone instead of on instructions of others", None),
)


def way_figure(reading: Reading) -> Figure | None:
  """The figure of the axis `way`; None where no sweep has it, or nothing is measured yet."""
  found = sides.compared(reading, sides.Axis(WAY_AXIS, LABELS, own_tasks=[FINETUNED]))
  if not found:
    return None
  keys = [key for key in found.grids if not key[2]]
  main, *others = keys
  beside = [(*main[:2], metric) for metric in (SWAP, VALID)]
  return sides.figure_of(found, "ways", "Three ways", [main, *others, *beside], [*_findings(found, keys)])


def _findings(found: Compared, keys: Sequence[tuple[str, str, str]]) -> Iterator[Finding]:
  most = max(keys, key=lambda key: len(found.grids[key].tasks))  # one task says nothing of others
  for key in keys:
    made = found.of(*key)
    for before, after, what, name in _CHANGES:
      if found.has(made, before, after):
        of = claim("ways", name) if name and key == most else None
        yield changed(made, [(found.place(before), found.place(after))], what, of)
