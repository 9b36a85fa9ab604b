"""Each common task type in each format: the reviewed text, and laws that hold for whatever a record says."""

import itertools

import golden_renders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.data import formats, sources, specs, templates

TYPES = golden_renders.type_names()
HEADS = {line for style in specs.option_styles() for line in (style.head, style.request) if line}


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
  with golden_renders.collection(tmp_path_factory.mktemp("golden")) as folder:
    yield folder


@pytest.fixture(scope="session")
def renderers(data_dir):
  return {
    (name, options): golden_renders.renderer(name, data_dir, options) for name in TYPES for options in formats.OPTIONS
  }


@pytest.mark.parametrize("name", TYPES)
def test_a_type_renders_as_it_was_reviewed(name, data_dir):
  """On a difference: `python -m tests.data.golden_renders --write`, and read what git shows."""
  reviewed = (golden_renders.GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
  assert golden_renders.text(name, data_dir) == reviewed


def test_every_common_type_and_each_of_the_demo_has_a_golden_file_and_nothing_else_has():
  common = {name for name in specs.type_names() if specs.get_type(name).collection in ("types", "demo")}
  assert common <= set(TYPES)
  assert {path.stem for path in golden_renders.GOLDEN.glob("*.txt")} == set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_a_format_is_there_for_what_the_type_can_be_asked(name):
  kind = specs.get_type(name)
  if name == "text":
    assert set(kind.wordings) == {"zero_shot"}
  else:
    reasoned = {"cot", "few_shot_cot"} if "rationale" in kind.optional else set()
    told = {"continuation"} if kind.collection == "demo" else set()
    bare = {"few_shot_bare", "bare"} if kind.bare else set()
    assert set(kind.wordings) == {"zero_shot", "few_shot"} | reasoned | told | bare


@pytest.mark.parametrize("options", ["never", "always"])
@pytest.mark.parametrize("name", TYPES)
def test_no_template_text_is_left_and_options_are_listed_as_asked(name, options, renderers):
  renderer = renderers[name, options]
  asked = options == "always" and renderer.spec.show_options == "drawn"
  for form in renderer.formats:
    for variant in range(15):
      made = renderer.render(renderer.source[0], variant, format=form)
      assert not any(mark in made.inputs + made.targets for mark in ("{{", "}}", "{%", "%}", "{turn}"))
      listed = [line for line in made.inputs.split("\n") if line in HEADS]
      assert len(listed) >= 1 + made.shots if asked and made.choices else listed == []


@pytest.mark.parametrize("name", TYPES)
def test_what_is_asked_stands_in_every_wording_and_the_target_in_none(name):
  """Each field in words of its own: all that the bare prompt needs is there, and what the target says is not."""
  kind = specs.get_type(name)
  fields = {field: f"the {field} of the record" for field in (*kind.fields, *kind.optional)}
  target = templates.variables(kind.target)
  needed = templates.variables(kind.bare)
  for wording in (*itertools.chain(*kind.wordings.values()), *kind.evaluation_wordings):
    prompt = templates.compile_wording(wording, fields, name)
    made = prompt.head(fields) + prompt.turn.render(fields)
    assert all(fields[field] in made for field in needed), wording.id
    assert not any(fields[field] in made for field in target), wording.id


@settings(max_examples=100, deadline=None)
@given(data=st.data(), name=st.sampled_from(TYPES), variant=st.integers(0, 999))
def test_a_records_text_is_never_taken_for_a_template(renderers, data, name, variant):
  """Whatever a field says, braces and all, stands in the prompt as it is."""
  renderer = renderers[name, "drawn"]
  kind = renderer.type
  words = st.text(st.sampled_from("ab{}%#é \n"), min_size=1).map(str.strip).filter(bool)
  fields = {field: data.draw(words) for field in (*kind.fields, *kind.optional) if field != "choices"}
  form = data.draw(st.sampled_from(renderer.formats))
  made = renderer.render(sources.Example("made", fields), variant, format=form)
  target = templates.variables(kind.target)
  assert all(fields[field] in made.inputs for field in templates.variables(kind.bare) - target)
  assert all(fields[field] in made.targets for field in target)
