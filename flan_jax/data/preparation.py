"""The stores of a mixture by its name, whoever declared it: ours in YAML, or the user's module in SeqIO."""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from flan_jax import errors
from flan_jax.data import beam, mixtures
from flan_jax.data.formats import Manner
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
    if self.module and self.runner:
      raise errors.UsageError(
        f"--runner {self.runner}: tasks of a SeqIO module ({self.module}) are prepared without it"
      )
    if self.module:
      common = self._common(verify, progress)
      return prepare_registered(self.mixture, self.module, on_change=on_change, **common)
    return self._prepare(self.present(), progress, verify)

  def trainable(self) -> mixtures.MixtureSpec:
    """The mixture, whatever of it is installed.

    Raises:
      UsageError: there is none, or it is for evaluation only.
    """
    whole = mixtures.get_mixture(self.mixture, self.data_dir)
    mixtures.check_trainable(whole, self.data_dir)
    return whole

  def present(self) -> mixtures.MixtureSpec:
    """The mixture without the tasks whose files are missing, which are told on stderr (`missing`: 'skip').

    Raises:
      UsageError: it is for evaluation only.
    """
    self.trainable()
    return present(self.mixture, self.data_dir, self.missing)

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

  def _prepare(self, mixture: mixtures.MixtureSpec, progress: Progress, verify: bool = False) -> list[TaskStore]:
    make = beam.maker(self.runner, self.beam_options) if self.runner else None
    common = self._common(verify, progress)
    return prepare(mixture, data_dir=self.data_dir, strict=self.strict, make=make, **common)

  def _common(self, verify: bool, progress: Progress) -> dict[str, Any]:
    return {
      "vocabulary": self.vocabulary,
      "lengths": self.lengths,
      "store_dir": store_folder(self.store_dir),
      "render_seed": self.render_seed,
      "variants": self.variants,
      "processes": self.processes,
      "verify": verify,
      "progress": progress,
    }


def prepare_together(preparations: Sequence[Preparation], name: str, progress: Progress = silently) -> None:
  """Makes the stores of several mixtures at once: a task that they share once, and all of them with the same workers.

  Args:
    name: of all of them, for the progress.

  Raises:
    FlanJaxError: see `Preparation.stores`.
  """
  several = [each for each in preparations if not each.module]
  for each in preparations:
    if each.module:  # whose tasks only SeqIO knows
      each.stores(progress=progress)
  while several:
    first = several[0]
    alike = [each for each in several if dataclasses.replace(each, mixture=first.mixture) == first]
    together = _union([each.mixture for each in alike], name, first)
    dataclasses.replace(first, mixture=name)._prepare(together, progress)
    several = [each for each in several if each not in alike]


def _union(names: Sequence[str], name: str, how: Preparation) -> mixtures.MixtureSpec:
  """A mixture of all installed tasks of several; its rates mean nothing, and a task is in a part for each manner."""
  manners: dict[Manner, dict[str, None]] = {}
  for each in names:
    whole = dataclasses.replace(how, mixture=each).trainable()
    tasks, _ = mixtures.installed(whole, how.data_dir, how.missing)
    for part in whole.only(tasks).parts:
      manners.setdefault(part.manner, {}).update(dict.fromkeys(part.tasks))
  parts = [
    mixtures.Part(str(number), tuple(tasks), **manner._asdict())
    for number, (manner, tasks) in enumerate(manners.items())
  ]
  return mixtures.MixtureSpec(name, tuple(parts))


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
