"""Origins as columns are the origins, however they are cut into shards; they take a few bytes each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.data import origins
from flan_jax.data.store import Origin

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
some = st.builds(Origin, texts, texts, st.sampled_from(["zero_shot", "cot"]), st.integers(0, 70_000), st.integers(0, 3))


def columns_of(made: list[Origin]) -> origins.Origins:
  writer = origins.OriginWriter()
  for origin in made:
    writer.add(origin)
  return writer.origins()


def listed(columns: origins.Origins) -> list[Origin]:
  return [
    Origin(
      columns.example_id[i].decode(),
      str(columns.wordings[columns.wording[i]]),
      str(columns.formats[columns.format[i]]),
      int(columns.shots[i]),
      int(columns.variant[i]),
    )
    for i in range(len(columns))
  ]


@given(shards=st.lists(st.lists(some, max_size=6), min_size=1, max_size=4))
def test_shards_joined_are_all_origins_in_order(shards):
  assert [listed(columns_of(shard)) for shard in shards] == shards
  joined = origins.joined([columns_of(shard) for shard in shards])
  assert listed(joined) == [origin for shard in shards for origin in shard]
  assert list(joined.wordings) == sorted({origin.wording for shard in shards for origin in shard})


@pytest.mark.parametrize("wordings", [200, 300])
def test_they_are_narrow(wordings):
  columns = columns_of([Origin(f"{i:04}", f"w{i % wordings}", "cot", 0) for i in range(2000)])
  held = sum(getattr(columns, name).nbytes for name in ("example_id", "wording", "format", "shots", "variant"))
  assert held == 2000 * (4 + 4 + (wordings > 256))
