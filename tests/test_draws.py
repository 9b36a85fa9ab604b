import collections

from hypothesis import given
from hypothesis import strategies as st

from flan_jax import draws

keys = st.lists(st.one_of(st.text(max_size=8), st.integers(-(2**40), 2**40)), min_size=1, max_size=4)


@given(keys, st.integers(1, 1000))
def test_a_draw_is_a_function_of_its_key_and_in_range(key, n):
  assert draws.draw(n, *key) == draws.draw(n, *key)
  assert 0 <= draws.draw(n, *key) < n


def test_hashes_never_change():
  # Every prepared store and every split rests on these values; they may not differ between machines or versions.
  assert draws.hash64(0, "cot.gsm8k", "17", 0, "wording") == 10963440124854925391
  assert draws.hash64("ünï") == 6574230039953973664


def test_parts_of_a_key_do_not_run_together():
  assert draws.hash64("ab", "c") != draws.hash64("a", "bc")


def test_a_draw_is_uniform():
  # 6,000 draws of 6: 1,000 each, standard deviation 29; 5 deviations are 145.
  counts = collections.Counter(draws.draw(6, "seed", i) for i in range(6000))
  assert len(counts) == 6
  assert all(abs(count - 1000) < 145 for count in counts.values())
