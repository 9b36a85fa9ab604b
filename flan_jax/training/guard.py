"""The guard of a run: a step whose numbers have gone astray changes nothing, and too many of them have consequences."""

import dataclasses
from typing import Any, NamedTuple

import gin
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from flan_jax.errors import UsageError
from flan_jax.setting_types import check_types

REWIND, STOP = "rewind", "stop"


@gin.register
@dataclasses.dataclass(frozen=True)
class Guard:
  """When a step is skipped, and what follows when several in a row were.

  A step is skipped if its loss or its gradient is not finite, or if its loss a target is a spike: above the running
  mean of the accepted steps by more than `spike_deviations` running deviations (means of |loss - mean|, over about
  the last `memory` accepted steps). A skipped step leaves every parameter and every moment of the optimizer as it was;
  counts go on, so that the learning rate of a step does not depend on how many were skipped.

  Attributes:
    spike_deviations: 20 lets the noise of small batches pass; a jump from 1.0 to 3.0 nats where losses differ by 0.1
      from one step to the next is one of 20 deviations. None skips no finite step.
    memory: in steps, of the running mean and deviation.
    warmup: accepted steps before any can be a spike.
    in_a_row: so many skipped steps in a row have a consequence.
    then: 'rewind' goes back to the newest whole checkpoint and on with the data after the skipped steps; 'stop' ends
      the run with an error. Both leave the newest skipped batch in MODEL_DIR/skipped for `flan-jax inspect`.
    rewinds: how often a run goes back without having come to a later checkpoint, before it stops all the same.
    hang_minutes: without a step after which the stacks of all threads are written down (watchdog.py); None for never.
  """

  spike_deviations: float | None = 20.0
  memory: int = 100
  warmup: int = 100
  in_a_row: int = 5
  then: str = REWIND
  rewinds: int = 3
  hang_minutes: float | None = 30.0

  def __post_init__(self):
    check_types(self)
    if self.spike_deviations is not None and self.spike_deviations <= 0:
      raise UsageError(f"Guard.spike_deviations = {self.spike_deviations!r}: must be above 0, or None")
    for name in ("memory", "warmup", "in_a_row"):
      if getattr(self, name) < 1:
        raise UsageError(f"Guard.{name} = {getattr(self, name)!r}: must be at least 1")
    if self.hang_minutes is not None and not self.hang_minutes > 0:
      raise UsageError(f"Guard.hang_minutes = {self.hang_minutes!r}: must be above 0, or None for never")
    if self.then not in (REWIND, STOP):
      raise UsageError(f"Guard.then = {self.then!r}: must be '{REWIND}' or '{STOP}'")

  @property
  def goes_back(self) -> int:
    """How often a run goes back before it stops."""
    return self.rewinds if self.then == REWIND else 0


class GuardState(NamedTuple):
  """What the rule remembers; scalars on the devices.

  Attributes:
    mean, deviation: float32, in nats a target, over accepted steps.
    accepted, skipped_in_row, skipped: int32 counts.
  """

  mean: Any
  deviation: Any
  accepted: Any
  skipped_in_row: Any
  skipped: Any

  @classmethod
  def new(cls) -> "GuardState":
    zero, none = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32)
    return cls(zero, zero, none, none, none)


def begun_anew(state: GuardState) -> GuardState:
  """What a guard knows as other losses begin: how many steps were skipped, and nothing of the losses before."""
  new = GuardState.new()
  return state._replace(mean=new.mean, deviation=new.deviation, accepted=new.accepted)


def fine(guard: Guard, state: GuardState, loss: Float[Array, ""], gradient_norm: Float[Array, ""]) -> Bool[Array, ""]:
  """Whether a step may change the parameters; inside the compiled step, so that the host is not asked.

  Args:
    loss: mean over the batch's targets, in nats.
  """
  finite = jnp.isfinite(loss) & jnp.isfinite(gradient_norm)
  if guard.spike_deviations is None:
    return finite
  limit = state.mean + guard.spike_deviations * state.deviation
  return finite & ((state.accepted < guard.warmup) | (loss <= limit))


def updated(guard: Guard, state: GuardState, loss: Float[Array, ""], accepted: Bool[Array, ""]) -> GuardState:
  """The state after a step.

  The first steps weigh alike (1, 1/2, 1/3, ...), later ones 1/memory: a plain mean that becomes a moving one.
  """
  weight = 1.0 / jnp.minimum(state.accepted + 1, guard.memory)
  mean = state.mean + weight * (loss - state.mean)
  deviation = state.deviation + weight * (jnp.abs(loss - state.mean) - state.deviation)
  return GuardState(
    mean=jnp.where(accepted, mean, state.mean),
    # The first loss differs from a mean of nothing.
    deviation=jnp.where(accepted & (state.accepted > 0), deviation, state.deviation),
    accepted=state.accepted + accepted,
    skipped_in_row=jnp.where(accepted, 0, state.skipped_in_row + 1),
    skipped=state.skipped + ~accepted,
  )
