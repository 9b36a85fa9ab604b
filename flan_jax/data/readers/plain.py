"""Values of other libraries as the ones that records hold: texts, numbers, booleans, None, lists and dicts of these."""

import datetime
import decimal
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
  """The value without bytes, NumPy's types, tuples, dates or decimals; whole numbers stay whole.

  >>> plain({"text": b"caf\\xc3\\xa9", "spans": np.array([[1, 2]])})
  {'text': 'café', 'spans': [[1, 2]]}

  Raises:
    ValueError: it holds bytes that are no UTF-8, or something that a record cannot hold, such as an image.
  """
  if value is None or isinstance(value, str | bool | int | float):
    return value
  if isinstance(value, bytes):
    return _decoded(value)
  if isinstance(value, dict):
    return {_key(key): plain(inner) for key, inner in value.items()}
  if isinstance(value, list | tuple):
    return [plain(inner) for inner in value]
  if isinstance(value, np.ndarray | np.generic):
    return plain(value.tolist())
  if isinstance(value, datetime.date | datetime.time):
    return value.isoformat()
  if isinstance(value, decimal.Decimal | datetime.timedelta):
    return str(value)
  raise ValueError(f"a value is {type(value).__name__}, which is neither text nor a number")


def _decoded(value: bytes) -> str:
  try:
    return value.decode("utf-8")
  except UnicodeDecodeError:
    raise ValueError(f"{len(value)} bytes that are no UTF-8 text, from {value[:12]!r} on") from None


def _key(key: Any) -> str:
  return key if isinstance(key, str) else str(plain(key))
