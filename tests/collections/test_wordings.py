"""What every task type of every collection must be: wordings that compile, suffice in number and truly differ."""

import functools
import itertools
import re

import pytest

from flan_jax.data import formats, specs, templates, vocabularies

TYPES = specs.type_names()
FIELD = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")


def without_fields(wording: specs.Wording) -> str:
  return FIELD.sub(" ", f"{wording.head} {wording.turn}")


def all_wordings(kind: specs.TaskType) -> tuple[specs.Wording, ...]:
  return tuple(wording for wordings in kind.wordings.values() for wording in wordings)


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


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_ten_wordings(name):
  assert len(specs.get_type(name).wordings["zero_shot"]) >= 10


@pytest.mark.parametrize("name", TYPES)
def test_no_two_wordings_of_a_format_are_one_by_words(name):
  assert [pair for wordings in specs.get_type(name).wordings.values() for pair in too_alike(wordings, words)] == []


@pytest.mark.parametrize("name", TYPES)
def test_no_two_wordings_of_a_format_are_one_by_t5_tokens(name, shared_data):
  tokens_of = t5_tokens(shared_data)
  assert [pair for wordings in specs.get_type(name).wordings.values() for pair in too_alike(wordings, tokens_of)] == []


def test_the_real_collections_wordings_differ_over_all_formats_and_suffice_in_each(shared_data):
  kind = specs.get_type("reasoned_question")
  telling = [wording for wording in all_wordings(kind) if "/few_shot_bare/" not in wording.id]  # those say nothing
  assert too_alike(tuple(telling), t5_tokens(shared_data)) == []
  assert set(kind.wordings) == set(formats.FORMATS)
  assert min(map(len, kind.wordings.values())) >= 10


@pytest.mark.parametrize("name", TYPES)
def test_wordings_use_their_types_fields_and_never_mention_options(name):
  kind = specs.get_type(name)
  names = kind.fields + kind.optional
  for wording in all_wordings(kind):
    templates.compile_wording(wording, names, name)
    # The renderer writes the options; a wording that speaks of them would be wrong in half of the prompts.
    assert not re.search(r"\b(options?|choices?)\b", without_fields(wording), re.IGNORECASE), wording.id
  assert templates.variables(kind.target) <= set(names)


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
  assert spec.licence
  assert spec.cap > 0
  assert spec.origin or "generator" in spec.reader


def test_closers_differ_and_end_with_the_answer():
  closers = specs.closers()
  assert len(set(closers)) == len(closers) >= 5
  assert all(re.fullmatch(r"[^{}]+\{\{ answer \}\}\.?", closer) for closer in closers)
