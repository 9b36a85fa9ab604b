"""The step on a mesh: compiled once, state and batches placed, buffers given back as they are replaced."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from flan_jax.models.model import Model, Params
from flan_jax.training import partitioning
from flan_jax.training.guard import begun_anew
from flan_jax.training.optimizers import Optimizer, scheduled
from flan_jax.training.schedules import Schedule
from flan_jax.training.state import TrainState, abstract_state, new_state
from flan_jax.training.step import (
  WISHES,
  Batch,
  Placement,
  ScoreSums,
  StepMetrics,
  StepSettings,
  batch_scores,
  make_step,
  score_sums,
)


class Trainer:
  """Holds no state of the run: `start` makes one, `step` turns one into the next (and consumes the old one)."""

  def __init__(
    self,
    model: Model,
    mesh: Mesh,
    *,
    optimizer: Optimizer,
    learning_rate: float,
    schedule: Schedule,
    settings: StepSettings,
  ):
    """
    Args:
      settings: its seed is that of fresh parameters, too.
    """
    self.model = model
    self.mesh = mesh
    self.learning_rate = scheduled(learning_rate, schedule)
    self._seed = settings.seed
    self._optimizer = optimizer.transformation(self.learning_rate)
    self._rows = partitioning.batch_sharding(mesh)
    self._shapes = abstract_state(model, self._optimizer)
    self.shardings = partitioning.state_shardings(self._shapes, model.axes(), mesh)
    moves = partitioning.gather_over(mesh), partitioning.gather_over(mesh, model.dtype), partitioning.spread_over(mesh)
    placement = Placement(self._rows, self.shardings.params, *moves)
    plain = dataclasses.replace(settings.loss, label_smoothing=0.0, z_loss=0.0)
    self._scores = jax.jit(
      lambda params, batch: score_sums(batch_scores(model, params, batch, plain, None, placement), batch),
      in_shardings=(self.shardings.params, self._rows),
      out_shardings=partitioning.replicated(mesh),
    )
    self._step = jax.jit(
      make_step(model, self._optimizer, settings, placement),
      in_shardings=(self.shardings, self._rows),
      out_shardings=(self.shardings, partitioning.replicated(mesh)),
      donate_argnums=0,
    )

  def start(self) -> TrainState:
    """Step 0 with fresh parameters, each made on the devices that hold it."""

    def make():
      return new_state(self.model.init(self._seed), self._optimizer)

    return jax.jit(make, out_shardings=self.shardings)()

  def start_from(self, params: Params) -> TrainState:
    """Step 0 with given parameters, whose buffers are taken over, and a fresh optimizer.

    Args:
      params: laid out as `shardings.params` says.
    """

    new = jax.jit(lambda params: new_state(params, self._optimizer), out_shardings=self.shardings, donate_argnums=0)
    return new(dict(params))

  def with_new_guard(self, state: TrainState) -> TrainState:
    """The state with a guard that expects other losses than those that it has seen."""
    return state._replace(guard=jax.jit(begun_anew, out_shardings=self.shardings.guard)(state.guard))

  def place(self, batch: Mapping[str, np.ndarray], stop_requested: int = 0, save_requested: bool = False) -> Batch:
    """This process's rows of a batch, on its devices.

    Args:
      batch: the rows that `partitioning.process_rows` says.
      stop_requested: a signal's number where this process wishes to stop; see `stopping.StopRequest`.
      save_requested: whether it wishes to save.
    """
    rows = len(next(iter(batch.values())))
    batch = {**batch, WISHES: np.tile(np.array([stop_requested, save_requested], np.int32), (rows, 1))}
    return {name: jax.make_array_from_process_local_data(self._rows, array) for name, array in batch.items()}

  def step(self, state: TrainState, batch: Batch) -> tuple[TrainState, StepMetrics]:
    """One update; returns before the devices are done. The given state's buffers are reused: do not touch it again."""
    return self._step(state, batch)

  def compiled(self, batch: Mapping[str, np.ndarray], options: Mapping[str, Any] | None = None) -> jax.stages.Compiled:
    """The step for batches like this one, compiled and not run: what it keeps and sends can be looked at.

    Args:
      options: of XLA, by the names of its flags.
    """
    rows = len(next(iter(batch.values())))
    shapes = {name: array.shape for name, array in batch.items()} | {WISHES: (rows, 2)}
    abstract = {name: jax.ShapeDtypeStruct(shape, np.int32, sharding=self._rows) for name, shape in shapes.items()}
    return self._step.lower(self.abstract(), abstract).compile(options)

  def scores(self, params: Params, batch: Mapping[str, np.ndarray]) -> ScoreSums:
    """Sums over a batch with nothing dropped, smoothed or added to the loss, the same in all processes.

    Args:
      batch: all rows of it, in every process.
    """

    def placed(array: np.ndarray) -> jax.Array:
      return jax.make_array_from_callback(array.shape, self._rows, lambda part: array[part])

    return self._scores(params, {name: placed(array) for name, array in batch.items()})

  def abstract(self) -> TrainState:
    """Shapes, dtypes and shardings of a state, for restoring one."""

    def placed(shape, sharding):
      return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)

    return jax.tree.map(placed, self._shapes, self.shardings)

  def info(self) -> str:
    """The text of model-info.txt."""
    return partitioning.model_info(self.model.shapes(), self.model.axes(), self.shardings.params)
