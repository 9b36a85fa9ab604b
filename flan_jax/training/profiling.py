"""A few steps of a run traced by JAX's profiler into MODEL_DIR/profile."""

import contextlib
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import jax

from flan_jax.errors import UsageError


def steps_of(text: str | None, start: int = 0) -> range:
  """The updates that 'FIRST:LAST' stands for, counted from 1 where this start of the run begins; None for none.

  So it is after compilation that '3:5' traces, in a resumed run too.

  Args:
    start: updates done before.

  >>> steps_of("10:15", start=1000)
  range(1010, 1016)

  Raises:
    UsageError: it is no such pair.
  """
  if text is None:
    return range(0)
  found = re.fullmatch(r"(\d+):(\d+)", text)
  if not found or not 1 <= int(found[1]) <= int(found[2]):
    raise UsageError(
      f"train.profile = {text!r}: must be FIRST:LAST, steps counted from 1 where this start begins, such as 10:15"
    )
  return range(start + int(found[1]), start + int(found[2]) + 1)


class Profiler:
  """Traces some steps, and does nothing at all others. A context manager: leaving it ends a trace that still runs, and
  says so where none of the steps came."""

  def __init__(self, steps: range, folder: pathlib.Path):
    """
    Args:
      steps: numbers of updates, see `steps_of`.
      folder: receives plugins/profile/TIME/HOST.xplane.pb.
    """
    self._steps = steps
    self._folder = folder
    self._tracing = False
    self._traced = False

  def __enter__(self) -> "Profiler":
    return self

  def __exit__(self, *_) -> None:
    self._end()
    if self._steps and not self._traced:
      wanted = f"steps {self._steps[0]:,} to {self._steps[-1]:,}"
      print(f"profile: none, as {wanted} of the run did not come", file=sys.stderr, flush=True)

  @contextlib.contextmanager
  def around(self, step: int) -> Iterator[None]:
    """Around the dispatch of an update."""
    if step not in self._steps:
      yield
      return
    if not self._tracing:
      jax.profiler.start_trace(str(self._folder))
      self._tracing = self._traced = True
    with jax.profiler.StepTraceAnnotation("train", step_num=step):
      yield

  def dispatched(self, step: int, results: Any) -> None:
    """Ends the trace after its last update, once the devices are done with it."""
    if self._tracing and step + 1 not in self._steps:
      jax.block_until_ready(results)
      self._end()

  def _end(self) -> None:
    if not self._tracing:
      return
    jax.profiler.stop_trace()
    self._tracing = False
    print(
      f"profile: {self._folder}. Open it with 'tensorboard --logdir {self._folder}' (pip install xprof), or its "
      "*.trace.json.gz in https://ui.perfetto.dev",
      file=sys.stderr,
      flush=True,
    )
