"""The processes of one run: how they meet, what the first tells the others, and that all were started alike.

Arrays travel between processes in the compiled steps. What is said here is small and rare, and may be waited for very
long (the first process prepares a mixture, hours perhaps), so it goes through the key-value store of JAX's coordinator,
not through collectives, which time out. Without `joined` there is one process, and it is the first.

jax.distributed's store has no public name in JAX 0.10; Orbax uses it by the same private one.
"""

import collections
import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from flan_jax.errors import FlanJaxError, UsageError

Value = TypeVar("Value")

# A process that was not heard of for so long is dead, and JAX then ends the others. Heartbeats come from a thread that
# neither Python nor a compilation holds up.
HEARTBEAT_SECONDS = 30
# A process that ended with an error waits so long for the others' end before it leaves them.
_SHUTDOWN_SECONDS = 20
_POLL_SECONDS = 1  # between two looks at the store, so that Ctrl-C is heard

_said: collections.Counter[str] = collections.Counter()  # all processes count alike: they run the same program


@contextlib.contextmanager
def joined(coordinator: str, count: int, index: int, local_devices: Sequence[int] | None = None) -> Iterator[None]:
  """This process as one of several while the context lasts; before JAX looks at its devices.

  Args:
    coordinator: HOST:PORT of process 0, where it listens and the others find it.
    count: processes in all.
    index: of this one, from 0.
    local_devices: which of the node's GPUs are its own; None is all that it sees. See `clusters.find`.

  Raises:
    UsageError: numbers or an address that cannot be.
    FlanJaxError: the others were not found in five minutes; later: a computation failed, as it does when one dies.
  """
  _check_address(coordinator, count, index)
  import jax

  # Its handler would take SIGTERM from training/loop.py's, which saves.
  jax.config.update("jax_enable_preemption_service", False)
  try:
    jax.distributed.initialize(
      coordinator,
      count,
      index,
      local_devices,
      cluster_detection_method="deactivate",
      heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
      shutdown_timeout_seconds=_SHUTDOWN_SECONDS,
    )
    yield
  except jax.errors.JaxRuntimeError as error:
    raise FlanJaxError(
      f"process {index} of {count} failed: {str(error).splitlines()[0][:300]}. If another process ended, its own "
      "output says why; start all of them again, and the run goes on from its last whole checkpoint"
    ) from error


def is_first() -> bool:
  """Whether this process is the one that writes what is written once; JAX's devices are not started for it."""
  from jax._src import distributed

  return distributed.global_state.process_id == 0


def from_first(what: str, make: Callable[[], Value]) -> Value:
  """What `make` gives in the first process, in every process; the others wait for it. All must call it alike.

  Args:
    what: a name for it.
    make: called in the first process only; its value must survive JSON.

  Raises:
    FlanJaxError, UsageError: as in the first process; there, whatever `make` raises.
  """
  client = _client()
  if client is None:
    return make()
  key = _next_key(what)
  if not is_first():
    return _heard(json.loads(_read(client, key)))
  try:
    value = make()
  except BaseException as error:
    client.key_value_set(key, json.dumps({"error": str(error) or repr(error), "usage": isinstance(error, UsageError)}))
    raise
  client.key_value_set(key, json.dumps({"value": value}))
  return value


def first_then_others(what: str, work: Callable[[], Value]) -> Value:
  """What `work` gives in each process: the first does it alone, then the others, which find made what it made."""
  done: list[Value] = []
  from_first(what, lambda: done.append(work()))
  return done[0] if done else work()


def check_same(things: Mapping[str, Any]) -> None:
  """Raises UsageError in every process if one has other values than the first; names the process and the things.

  Args:
    things: name to a value that survives JSON.
  """
  mine = json.loads(json.dumps(things))
  difference = _difference(from_first("settings", lambda: mine), mine)
  if told := _objections(f"has {difference}" if difference else ""):
    raise UsageError(
      f"the processes were not started alike: {told}. Give all of them the same settings, code and folders"
    )


def check_shared(folder: pathlib.Path) -> None:
  """Raises FlanJaxError in every process if the folder is not one and the same for all of them."""

  def leave_mark() -> str:
    handle, path = tempfile.mkstemp(dir=folder, prefix=".shared-")
    os.close(handle)
    return pathlib.Path(path).name

  mark = folder / from_first("mark", leave_mark)
  told = _objections("" if mark.exists() else f"sees another folder in {folder}")
  if is_first():
    mark.unlink()
  if told:
    raise FlanJaxError(f"{folder} is not shared by the processes: {told}. It must lie on a file system that all see")


def _objections(mine: str) -> str:
  """What the processes object to, or nothing; the same in all of them."""
  client = _client()
  if client is None:
    return mine
  import jax

  key = _next_key("objections")
  client.key_value_set(f"{key}/{jax.process_index()}", mine)

  def all_objections() -> str:
    told = {index: _read(client, f"{key}/{index}") for index in range(jax.process_count())}
    return "; ".join([f"process {index} {objection}" for index, objection in told.items() if objection][:3])

  return from_first("verdict", all_objections)


def _difference(expected: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
  """'seed 1 (process 0: 0), ...', or nothing."""
  names = [name for name in {**expected, **mine} if expected.get(name) != mine.get(name)]
  return ", ".join(f"{name} {short(mine.get(name))} (process 0: {short(expected.get(name))})" for name in names)


def short(value: object) -> str:
  """How a value is told in a sentence: 80 characters at most."""
  text = repr(value)
  return text if len(text) <= 80 else f"{text[:77]}..."


def _next_key(what: str) -> str:
  _said[what] += 1
  return f"flan_jax/{what}/{_said[what]}"


def _heard(message: Mapping[str, Any]) -> Any:
  if "error" in message:
    raise (UsageError if message["usage"] else FlanJaxError)(f"process 0: {message['error']}")
  return message["value"]


def _client() -> Any:
  """The way to the coordinator; None where there is one process."""
  from jax._src import distributed

  return distributed.global_state.client


def _read(client: Any, key: str) -> str:
  """Waits for a key. Where the process that should set it dies, JAX ends this one."""
  import jax

  while True:
    try:
      return client.blocking_key_value_get(key, _POLL_SECONDS * 1000)
    except jax.errors.JaxRuntimeError as error:
      if "DEADLINE_EXCEEDED" not in str(error):
        raise


def _check_address(coordinator: str, count: int, index: int) -> None:
  host, _, port = coordinator.rpartition(":")
  if not host or not port.isdecimal():
    raise UsageError(f"--coordinator {coordinator}: must be HOST:PORT of process 0, such as node1:12345")
  if not 0 <= index < count:
    raise UsageError(f"--process {index}: must be from 0 to {count - 1}, as there are --processes {count}")
