"""Which clusters of the collections are about the same, so that holding one out holds out the others.

flan_jax/collections/clusters.yaml groups clusters over collections. Which groups leave together says the `related` of a
group and, as FLAN's authors have it, `also_excluded` in the clusters.yaml of a collection.
"""

import functools
import pathlib
from collections.abc import Iterator, Sequence

from flan_jax.data import spec_files, specs

Cluster = tuple[str, str]  # (collection, cluster); the collection '' stands for any


def held_out(spec: specs.TaskSpec, names: Sequence[str]) -> bool:
  """Whether a task leaves a mixture when the named clusters are held out.

  Args:
    names: of groups in clusters.yaml, of clusters ('nli', whatever its collection), or 'collection.cluster'.
  """
  if not names:
    return False
  leaving = leaving_with(tuple(names))
  return (spec.collection, spec.cluster) in leaving or ("", spec.cluster) in leaving


def leaving_with(names: tuple[str, ...]) -> frozenset[Cluster]:
  """The clusters that are held out with those named: of the same group, and of the groups related to it."""
  return _leaving_with(names, _paths())


def group_names() -> tuple[str, ...]:
  """The names of the groups of clusters.yaml."""
  return tuple(_groups(_paths()))


def of_group(name: str) -> frozenset[Cluster]:
  """The clusters of a group; none where there is no group of that name."""
  return _groups(_paths()).get(name, frozenset())


def _paths() -> tuple[pathlib.Path, ...]:
  """Those over collections, then the collections' own."""
  folders = (*specs.collection_roots(), *map(specs.collection_folder, specs.collections()))
  return tuple(path for folder in folders if (path := folder / "clusters.yaml").exists())


@functools.lru_cache(maxsize=256)
def _leaving_with(names: tuple[str, ...], paths: tuple[pathlib.Path, ...]) -> frozenset[Cluster]:
  groups = _groups(paths)
  related = _related(paths)
  leaving: set[Cluster] = set()
  for name in names:
    named = _clusters_named(name, groups)
    leaving |= named
    own = [group for group, clusters in groups.items() if group == name or named & clusters]
    for group in own:
      leaving |= groups[group].union(*(groups[other] for other in related.get(group, ())))
  return frozenset(leaving)


def _clusters_named(name: str, groups: dict[str, frozenset[Cluster]]) -> set[Cluster]:
  if name in groups:
    return set(groups[name])
  collection, dot, cluster = name.partition(".")
  if dot and collection in specs.collections():
    return {(collection, cluster)}
  return {("", name), *(each for clusters in groups.values() for each in clusters if each[1] == name)}


@functools.lru_cache(maxsize=8)
def _groups(paths: tuple[pathlib.Path, ...]) -> dict[str, frozenset[Cluster]]:
  return {
    entry["group"]: frozenset((collection, name) for collection, names in entry["clusters"].items() for name in names)
    for entry in _entries(paths)
    if "group" in entry
  }


@functools.lru_cache(maxsize=8)
def _related(paths: tuple[pathlib.Path, ...]) -> dict[str, set[str]]:
  """The groups that leave with each group."""
  groups = _groups(paths)
  related = {entry["group"]: set(entry.get("related", ())) for entry in _entries(paths) if "group" in entry}
  for path in paths:
    for entry in spec_files.read(path):
      for other in entry.get("also_excluded", ()):
        collection = path.parent.name
        mine = {group for group, clusters in groups.items() if (collection, entry["cluster"]) in clusters}
        theirs = {group for group, clusters in groups.items() if (collection, other) in clusters}
        for group in mine:
          related[group] |= theirs - {group}
  return related


def _entries(paths: tuple[pathlib.Path, ...]) -> Iterator[dict]:
  return (entry for path in paths for entry in spec_files.read(path))
