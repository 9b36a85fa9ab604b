"""Going back to the newest whole checkpoint, and moving damaged ones out of the way."""

import itertools
import pathlib
import sys
from collections.abc import Mapping

from flan_jax import processes
from flan_jax.errors import FlanJaxError
from flan_jax.interop import checkpoints as layout

Faults = dict[int, list[str]]


def newest_whole(
  model_dir: pathlib.Path, known: Mapping[int, list[str]], whole: int | None = None
) -> tuple[int | None, Faults]:
  """(the newest step whose files are as they were written, or None where nothing was saved; the damaged ones after it).

  Of several processes all must call it; the first looks, for all.

  Args:
    known: steps that are damaged although their files are not, with what is wrong.
    whole: a step whose files were compared before.

  Raises:
    FlanJaxError: no step is whole.
  """
  step, faults = processes.from_first("newest whole checkpoint", lambda: _newest_whole(model_dir, known, whole))
  return step, {int(damaged): found for damaged, found in faults.items()}


def set_aside(model_dir: pathlib.Path, faults: Faults, step: int) -> None:
  """Renames damaged steps, so that the run can save them again, and says so; nothing is deleted.

  Args:
    step: where the run goes on from.
  """
  processes.from_first("damaged checkpoints", lambda: _set_aside(model_dir / layout.CHECKPOINTS, faults, step))


def _newest_whole(
  model_dir: pathlib.Path, known: Mapping[int, list[str]], whole: int | None
) -> tuple[int | None, Faults]:
  faults: Faults = {}
  for step in reversed(layout.saved_steps(model_dir)):
    found = known.get(step, [])
    if not found and step != whole:
      found = layout.faults(model_dir / layout.CHECKPOINTS / str(step))
    if not found:
      return step, faults
    faults[step] = found
  if faults:
    told = "; ".join(f"step {step}: {', '.join(found)}" for step, found in faults.items())
    raise FlanJaxError(
      f"no checkpoint in {model_dir / layout.CHECKPOINTS} is whole ({told}). Put back a copy of one, or start anew in "
      "another MODEL_DIR"
    )
  return None, {}


def _set_aside(folder: pathlib.Path, faults: Faults, step: int) -> None:
  for damaged, found in sorted(faults.items()):
    name = f"damaged-{damaged}"
    names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
    aside = next(path for path in map(folder.joinpath, names) if not path.exists())
    (folder / str(damaged)).rename(aside)
    print(
      f"checkpoint {damaged} is damaged ({'; '.join(found)}): moved to {aside}; going on from step {step}",
      file=sys.stderr,
      flush=True,
    )
