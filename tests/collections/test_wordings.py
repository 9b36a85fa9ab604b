"""What every task type of every collection must be: wordings that compile, suffice in number and truly differ."""

import functools
import itertools
import re

import pytest

from flan_jax.data import formats, specs, templates, vocabularies
from flan_jax.evaluation.answers import metrics

TYPES = specs.type_names()
# Types whose prompts are written elsewhere (P3, plain text) have one wording, which adds nothing to them.
WORDED = [name for name in TYPES if name not in ("prompted", "text")]
COMMON = [name for name in WORDED if specs.get_type(name).collection == "types"]  # flan_jax/collections/types
FIELD = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# The renderer writes the options; a wording that speaks of them would be wrong in half of the prompts.
SPEAKS_OF_OPTIONS = re.compile(r"\b(options?|choices?|choose)\b", re.I)


def without_fields(wording: specs.Wording) -> str:
  return FIELD.sub(" ", f"{wording.head} {wording.turn}")


def all_wordings(kind: specs.TaskType) -> tuple[specs.Wording, ...]:
  return (*(wording for wordings in kind.wordings.values() for wording in wordings), *kind.evaluation_wordings)


def zero_shot_wordings(name: str) -> tuple[specs.Wording, ...]:
  """What a type's zero-shot prompts say, in training and in evaluation."""
  kind = specs.get_type(name)
  return kind.wordings["zero_shot"] + kind.evaluation_wordings


def too_alike(wordings: tuple[specs.Wording, ...], tokens_of) -> list[tuple[str, str, float]]:
  """Pairs of wordings whose token sets have a Jaccard similarity of 0.6 or more."""
  sets = [(wording.id, frozenset(tokens_of(without_fields(wording)))) for wording in wordings]
  pairs = ((a, b, len(x & y) / max(1, len(x | y))) for (a, x), (b, y) in itertools.combinations(sets, 2))
  return [(a, b, round(similarity, 2)) for a, b, similarity in pairs if similarity >= 0.6]


def t5_tokens(shared_data):
  vocabulary = vocabularies.load_vocabulary("t5", shared_data)
  return lambda text: vocabulary.encode([text])[0]


@functools.cache
def words(text: str) -> tuple[str, ...]:
  return tuple(re.findall(r"\w+|[^\w\s]", text.lower()))


@pytest.mark.parametrize("name", WORDED)
def test_a_type_has_ten_wordings(name):
  assert len(specs.get_type(name).wordings["zero_shot"]) >= 10


@pytest.mark.parametrize("name", COMMON)
def test_a_common_type_keeps_two_wordings_for_evaluation_and_can_be_asked_bare(name):
  kind = specs.get_type(name)
  assert len(kind.evaluation_wordings) >= 2
  trained_on = {wording.turn for wordings in kind.wordings.values() for wording in wordings}
  assert trained_on.isdisjoint(wording.turn for wording in kind.evaluation_wordings)
  assert kind.bare
  assert templates.variables(kind.bare) <= set(kind.fields + kind.optional) - templates.variables(kind.target)


@pytest.mark.parametrize("name", TYPES)
def test_no_two_wordings_of_training_and_evaluation_are_one(name, shared_data):
  assert too_alike(zero_shot_wordings(name), words) == []
  assert too_alike(zero_shot_wordings(name), t5_tokens(shared_data)) == []


@pytest.mark.parametrize("name", [name for name in TYPES if specs.get_type(name).collection != "demo"])
def test_wordings_differ_after_t5_tokenisation(name, shared_data):
  # T5's tokens know no line breaks and no double spaces: wordings that differ in these alone are one. (The demo has a
  # vocabulary of its own, with line breaks, which was trained on its wordings as they are.)
  tokens_of = t5_tokens(shared_data)
  for wordings in (zero_shot_wordings(name), *specs.get_type(name).wordings.values()):
    seen = {tuple(tokens_of(two_turns(wording))): wording.id for wording in wordings}
    assert sorted(seen.values()) == sorted(wording.id for wording in wordings)


def two_turns(wording: specs.Wording) -> str:
  """What a wording says around a solved example and a query."""
  turn, head = (text.replace("{{", "").replace("}}", "") for text in (wording.turn, wording.head))
  return wording.join.join([head, f"{turn} solved{wording.after}", wording.negative, turn])


@pytest.mark.parametrize("name", TYPES)
def test_no_two_wordings_of_a_format_are_one_by_words(name):
  assert [pair for wordings in specs.get_type(name).wordings.values() for pair in too_alike(wordings, words)] == []


@pytest.mark.parametrize("name", TYPES)
def test_no_two_wordings_of_a_format_are_one_by_t5_tokens(name, shared_data):
  tokens_of = t5_tokens(shared_data)
  assert [pair for wordings in specs.get_type(name).wordings.values() for pair in too_alike(wordings, tokens_of)] == []


def test_the_real_collections_wordings_differ_over_all_formats_and_suffice_in_each(shared_data):
  kind = specs.get_type("reasoned_question")
  telling = [wording for wording in all_wordings(kind) if "bare/" not in wording.id]  # those say nothing
  assert too_alike(tuple(telling), t5_tokens(shared_data)) == []
  trained = {name for name, form in formats.FORMATS.items() if form.trained}
  assert set(kind.wordings) == trained | {"bare"}
  assert min(len(kind.wordings[form]) for form in trained) >= 10


@pytest.mark.parametrize("name", TYPES)
def test_wordings_use_their_types_fields_and_never_mention_options(name):
  kind = specs.get_type(name)
  names = kind.fields + kind.optional
  for wording in all_wordings(kind):
    templates.compile_wording(wording, names, name)
    assert not SPEAKS_OF_OPTIONS.search(without_fields(wording)), wording.id
  assert templates.variables(kind.target) <= set(names)
  assert set(kind.context) <= set(names)


@pytest.mark.parametrize("name", COMMON)
def test_every_wording_asks_with_all_that_the_bare_prompt_shows(name):
  shown = templates.variables(specs.get_type(name).bare)
  assert [wording.id for wording in zero_shot_wordings(name) if not shown <= templates.variables(wording.turn)] == []


@pytest.mark.parametrize("name", [name for name in TYPES if specs.get_type(name).inverted])
def test_the_inverted_type_asks_for_a_field_of_the_type_in_a_category_of_its_own(name):
  kind = specs.get_type(name)
  inverted = specs.get_type(kind.inverted)
  assert set(inverted.fields) <= set(kind.fields)
  assert not templates.variables(inverted.target) & templates.variables(kind.target)
  assert inverted.category != kind.category
  assert not inverted.inverted


@pytest.mark.parametrize("name", TYPES)
def test_rationale_wordings_are_for_types_with_rationales(name):
  kind = specs.get_type(name)
  assert ("rationale" in kind.optional + kind.fields) or not {"cot", "few_shot_cot"} & set(kind.wordings)


def test_type_names_are_unique_over_the_collections():
  assert len(set(TYPES)) == len(TYPES)


@pytest.mark.parametrize("name", specs.task_names())
def test_a_task_declares_what_a_catalogue_needs(name):
  spec = specs.get_task(name)
  specs.get_type(spec.type)
  assert spec.category
  assert spec.metrics
  assert set(spec.metrics) <= set(metrics.METRICS)
  assert spec.licence
  assert spec.cap > 0
  assert spec.origin or "generator" in spec.reader


def test_closers_differ_and_end_with_the_answer():
  closers = specs.closers()
  assert len(set(closers)) == len(closers) >= 5
  assert all(re.fullmatch(r"[^{}]+\{\{ answer \}\}\.?", closer) for closer in closers)
