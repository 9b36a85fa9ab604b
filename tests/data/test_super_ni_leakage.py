"""Super-NI's official split on the samples: what training prompts share with the inputs of held-out test tasks."""

import re
from collections.abc import Iterator

import pytest

from flan_jax.data import mixtures, rendering, specs, vocabularies
from flan_jax.data.prepare import prepare
from tests.data.handmade import tokens_of

GRAM = 8
# The official split keeps datasets apart, not the texts that they were made of: these tasks ask about the same articles
# of Wikipedia (or, the lullaby of a short story, say the same by chance), and share 8 words in a row in some examples.
SHARED_TEXTS = {
  ("task381_boolq_question_generation", "task769_qed_summarization"),
  ("task1609_xquad_en_question_generation", "task1622_disfl_qa_text_modication"),
  ("task955_wiki_auto_style_transfer", "task769_qed_summarization"),
  ("task582_naturalquestion_answer_generation", "task670_ambigqa_question_generation"),
  ("task222_rocstories_two_chioce_slotting_classification", "task219_rocstories_title_answer_generation"),
  ("task739_lhoestq_question_generation", "task769_qed_summarization"),
  ("task917_coqa_question_generation", "task769_qed_summarization"),
  ("task919_coqa_incorrect_answer_generation", "task769_qed_summarization"),
  ("task1293_kilt_tasks_hotpotqa_question_answering", "task645_summarization"),
}


def grams(text: str) -> Iterator[tuple[str, ...]]:
  found = re.findall(r"\w+", text.lower())
  return zip(*(found[i:] for i in range(GRAM)), strict=False)


@pytest.mark.slow
def test_no_test_category_and_no_held_out_text_in_any_stored_record(shared_data, tmp_path):
  train, test = (mixtures.get_mixture(name, shared_data) for name in ("super_ni", "super_ni_test"))
  cluster = {task: specs.get_task(task, shared_data).cluster for task in (*train.tasks, *test.tasks)}
  assert not {cluster[task] for task in train.tasks} & {cluster[task] for task in test.tasks}
  held_out: dict[tuple[str, ...], str] = {}
  for task in test.tasks:
    source = rendering.Renderer(task, shared_data).source
    for i in range(len(source)):
      held_out.update(dict.fromkeys(grams(source[i].fields["input"]), task.partition(".")[2]))
  assert len(held_out) > 100_000
  vocabulary = vocabularies.load_vocabulary("t5", shared_data)
  lengths = {"inputs": 1024, "targets": 128}
  stores = prepare(train, data_dir=shared_data, vocabulary=vocabulary, lengths=lengths, store_dir=tmp_path, processes=1)
  assert {store.task for store in stores} == set(train.tasks)
  shared = set()
  for store in stores:
    for ids in zip(*tokens_of(store).values(), strict=True):
      text = " ".join(map(vocabulary.decode, ids))
      shared |= {(store.task.partition(".")[2], held_out[gram]) for gram in grams(text) if gram in held_out}
  assert shared <= SHARED_TEXTS
  assert shared  # the comparison does find what is known to be shared
