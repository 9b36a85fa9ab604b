"""Random choices as hashes of what they are for.

A draw depends on its key alone: never on order, process count or a generator's state, so that any example of any run
can be made again on its own. The first part of a key is the seed, the last says what is drawn.
"""

import xxhash

_SEPARATOR = "\x1f"  # ASCII unit separator: ("ab", "c") and ("a", "bc") differ


def hash64(*key: str | int) -> int:
  """A uniform 64-bit integer that is a function of the key (xxh3; the same on every machine)."""
  return xxhash.xxh3_64_intdigest(_SEPARATOR.join(map(str, key)).encode())


def draw(n: int, *key: str | int) -> int:
  """A uniform integer in [0, n) that is a function of the key; n is far below 2**64, so the bias is negligible."""
  return hash64(*key) % n
