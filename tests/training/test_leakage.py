"""Nothing held out is trained on: every row of a run of 100 steps is decoded and compared with held-out prompts."""

import re
from collections.abc import Iterable, Iterator

import pytest

from flan_jax.collections.demo.generators import words
from flan_jax.data import mixtures, rendering, specs
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.training.feed import past_feed
from flan_jax.training.windows import position_of
from tests.training.toy_run import toy_run

MIXTURE = "demo(tasks=30, seed=0)"  # of most clusters; preparing all tasks takes a minute
STEPS = 100
GRAM = 8
WORLD = {word.lower() for word in (*words.THINGS, *words.PEOPLE, *words.PLACES)}
# What training and held-out prompts may share: the language of instructions, with at most so many different things of
# the world in or beside it. A run has some 3,000 lists and there are 30 * 29 * 28 * 27 = 657,720 of four things, so
# that one is met again by chance; of five there are 17 million.
WORLD_WORDS_SHARED = 4


@pytest.fixture(scope="module")
def run(one_device, tmp_path_factory):
  folder = tmp_path_factory.mktemp("leakage")
  settings = {"mixture_or_task_name": MIXTURE, "window": 4096, "log_period": 100}
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr("os.cpu_count", lambda: 1)  # starting workers takes longer than preparing
    toy_run(folder / "model", folder / "store", STEPS, **settings).run()
  return folder / "model"


@pytest.fixture(scope="module")
def seen(run) -> list[tuple[str, str]]:
  """(task, decoded inputs and targets) of every segment of every row of the run."""
  return list(segments(run))


def segments(model_dir) -> Iterator[tuple[str, str]]:
  feed, vocabulary = past_feed(model_dir), load_vocabulary("demo")
  for step in range(1, STEPS + 1):
    position = position_of(step, feed.stream, model_dir, feed.identity)
    arrays, _ = feed.stream.batch(position)
    for segment in feed.stream.rows(position):
      inputs = arrays["encoder_input_tokens"][segment.row][
        arrays["encoder_segment_ids"][segment.row] == segment.segment
      ]
      targets = arrays["decoder_target_tokens"][segment.row]
      targets = targets[arrays["decoder_segment_ids"][segment.row] == segment.segment]
      yield segment.task, f"{vocabulary.decode(inputs.tolist())}\n{vocabulary.decode(targets.tolist())}"


def grams(text: str) -> Iterator[tuple[str, ...]]:
  found = re.findall(r"\w+", text.lower())
  return zip(*(found[i:] for i in range(GRAM)), strict=False)


def telling(texts: Iterable[str]) -> set[tuple[str, ...]]:
  """The 8-grams that are not on the list of what may be shared."""
  every = {gram for text in texts for gram in grams(text)}
  return {gram for gram in every if len(WORLD.intersection(gram)) > WORLD_WORDS_SHARED}


@pytest.fixture(scope="module")
def held_out() -> list[str]:
  """Rendered prompts and targets of the held-out tasks, in every format."""
  return list(prompts())


def prompts() -> Iterator[str]:
  mixture = mixtures.get_mixture("demo_held_out")
  for task in mixture.tasks:
    renderer = rendering.Renderer(task)
    for i in range(20):  # of 87 tasks: 8,000 prompts
      for form in renderer.formats:
        if form in ("cot", "few_shot_cot") and "rationale" not in renderer.source[i].fields:
          continue
        made = renderer.render(renderer.source[i], format=form)
        yield f"{made.inputs}\n{made.targets}"


def test_no_held_out_cluster_and_no_held_out_words_in_any_row(seen, held_out):
  trained, everything = ({specs.get_task(t).cluster for t in mixtures.get_mixture(m).tasks} for m in (MIXTURE, "demo"))
  assert not everything & {specs.get_task(task).cluster for task in mixtures.get_mixture("demo_held_out").tasks}
  assert len(seen) > 20 * STEPS
  assert {specs.get_task(task).cluster for task, _ in seen} == trained
  assert len(telling(held_out)) > 1000
  assert telling(text for _, text in seen) & telling(held_out) == set()


def test_the_comparison_finds_a_prompt_that_did_leak(seen, held_out):
  leaked = max(held_out[:100], key=lambda text: len(telling([text])))  # of compositions; towns and kinds say little
  assert telling([*(text for _, text in seen[:5]), leaked]) & telling(held_out) != set()
