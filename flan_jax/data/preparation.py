"""The stores of a mixture by its name, whoever declared it: ours in YAML, or the user's module in SeqIO."""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

from flan_jax import errors
from flan_jax.data import beam, mixtures
from flan_jax.data.prepare import jobs_of, prepare
from flan_jax.data.seqio_export import prepare_registered
from flan_jax.data.shards import Job
from flan_jax.data.store import TaskStore
from flan_jax.data.vocabularies import Vocabulary
from flan_jax.progress import Progress, silently


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preparation:
  """Which mixture, made into tokens how.

  Attributes:
    mixture: name of a mixture or task, of our collections or of `module`.
    vocabulary: of both features.
    lengths: tokens of a row by feature, 'inputs' and 'targets', EOS included; or those of a 'text', see `prepare`.
    data_dir: the user's data folder; None for generated tasks.
    store_dir: where stores are kept; None is ~/.cache/flan_jax/store.
    missing: 'error' or 'skip' for tasks whose files are not in data_dir.
    strict: whether a malformed record is an error; otherwise it is left out and counted.
    module: a Python module that registers the mixture with SeqIO.
    render_seed: of wordings, formats and exemplars.
    variants: how often each example is rendered.
    processes: workers; None for one a core, or with a module for one in 50 tasks.
    runner: of Apache Beam instead of such workers, such as 'DirectRunner'; see `beam`.
    beam_options: Beam's own flags.
  """

  mixture: str
  vocabulary: Vocabulary
  lengths: Mapping[str, int]
  data_dir: str | os.PathLike | None = None
  store_dir: str | os.PathLike | None = None
  missing: Literal["error", "skip"] = "error"
  strict: bool = False
  module: str | None = None
  render_seed: int = 0
  variants: int = 1
  processes: int | None = None
  runner: str | None = None
  beam_options: Sequence[str] = ()

  def stores(
    self,
    *,
    on_change: Literal["check", "prepare"] = "check",
    verify: bool = False,
    progress: Progress = silently,
  ) -> list[TaskStore]:
    """Each task's store, made where it does not stand.

    Args:
      on_change: what to do where `module` is not as it was; see `prepare_registered`.
      verify: reads the stores that stand first, and makes those again that are damaged.

    Raises:
      UsageError: an unknown mixture; a runner with a module.
      FlanJaxError: missing files; see `mixtures.installed`, `prepare` and `prepare_registered`.
    """
    common = {
      "vocabulary": self.vocabulary,
      "lengths": self.lengths,
      "store_dir": store_folder(self.store_dir),
      "render_seed": self.render_seed,
      "variants": self.variants,
      "processes": self.processes,
      "verify": verify,
      "progress": progress,
    }
    if self.module and self.runner:
      raise errors.UsageError(
        f"--runner {self.runner}: tasks of a SeqIO module ({self.module}) are prepared without it"
      )
    if self.module:
      return prepare_registered(self.mixture, self.module, on_change=on_change, **common)
    make = beam.maker(self.runner, self.beam_options) if self.runner else None
    return prepare(self.present(), data_dir=self.data_dir, strict=self.strict, make=make, **common)

  def jobs(self, mixture: mixtures.MixtureSpec) -> list[Job]:
    """What `stores` would make of the tasks of a mixture of ours, and where; those that stand are among them.

    Args:
      mixture: what `present` gives.
    """
    return jobs_of(
      mixture,
      data_dir=self.data_dir,
      vocabulary=self.vocabulary,
      lengths=self.lengths,
      store_dir=store_folder(self.store_dir),
      render_seed=self.render_seed,
      variants=self.variants,
    )

  def present(self) -> mixtures.MixtureSpec:
    """The mixture without the tasks whose files are missing, which are told on stderr (`missing`: 'skip').

    Raises:
      UsageError: it is for evaluation only.
    """
    mixtures.check_trainable(mixtures.get_mixture(self.mixture, self.data_dir), self.data_dir)
    return present(self.mixture, self.data_dir, self.missing)


def present(
  mixture: str, data_dir: str | os.PathLike | None, missing: Literal["error", "skip"]
) -> mixtures.MixtureSpec:
  """A mixture without the tasks whose files are missing, which are told on stderr; see `mixtures.installed`."""
  whole = mixtures.get_mixture(mixture, data_dir)
  tasks, absent = mixtures.installed(whole, data_dir, missing)
  for line in mixtures.some(absent):
    print(f"skipped: {line}", file=sys.stderr)
  if absent:
    skipped = f"{len(whole.tasks) - len(tasks)} of {len(whole.tasks)} tasks skipped"
    print(f"{skipped}; the others' rates are renormalised", file=sys.stderr)
  return whole.only(tasks)


def store_folder(path: str | os.PathLike | None) -> pathlib.Path:
  """A store_dir as the user gave it, or the usual one."""
  if path is not None:
    return pathlib.Path(path).expanduser()
  cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
  return pathlib.Path(cache) / "flan_jax" / "store"
