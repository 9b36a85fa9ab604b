"""What several commands' arguments mean."""

import os
from collections.abc import Iterable

from flan_jax.errors import UsageError


def row_lengths(text: str) -> tuple[int, int]:
  """(inputs, targets) of '512,128'.

  Raises:
    UsageError: it is not two whole numbers of at least 2.
  """
  try:
    inputs, targets = map(int, text.split(","))
  except ValueError:
    raise UsageError(f"--lengths {text}: write two whole numbers, such as 512,128") from None
  if min(inputs, targets) < 2:
    raise UsageError(f"--lengths {text}: a token and the end of the sequence need 2 slots")
  return inputs, targets


def default_vocabulary(tasks: Iterable[str], data_dir: str | os.PathLike | None) -> str:
  """'demo' for generated tasks, whose words are few; 't5' for real text, where the user has a data folder."""
  from flan_jax.data.sources import missing_file
  from flan_jax.data.specs import get_task

  generated = all(missing_file(get_task(task, data_dir), None) is None for task in tasks)
  return "demo" if generated or data_dir is None else "t5"
