"""Templates render like Jinja, in its sandbox, and leave the options' place to the renderer."""

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import specs, templates

pieces = st.one_of(
  st.sampled_from(["{{ a }}", "{{b}}", "{", "}", "{x}", " ", "\n", "%"]), st.text("xy:{}%", max_size=4)
)


@given(text=st.lists(pieces, max_size=8).map("".join), a=st.text(max_size=6), b=st.text(max_size=6))
def test_the_quick_way_gives_what_jinja_gives(text, a, b):
  plain = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
  try:
    expected = plain.from_string(text).render(a=a, b=b)
  except jinja2.TemplateError:
    with pytest.raises((errors.FlanJaxError, *templates.RENDER_ERRORS)):
      templates.compiled(text)({"a": a, "b": b})
    return
  assert templates.compiled(text)({"a": a, "b": b}) == expected


def test_lists_filters_and_conditions_are_jinjas():
  render = templates.compiled("{{ items | join(', ') }}{% if more is defined %} and {{ more }}{% endif %}")
  assert render({"items": ["x", "y"]}) == "x, y"
  assert render({"items": ["x", "y"], "more": "z"}) == "x, y and z"


@pytest.mark.parametrize("text", ["{{ a.__class__.__mro__ }}", "{{ a['__cl' + 'ass__'] }}", "{{ items.append(1) }}"])
def test_templates_run_in_the_sandbox(text):
  with pytest.raises((errors.FlanJaxError, jinja2.sandbox.SecurityError)):
    templates.compiled(text)({"a": "x", "items": []})


ENDLESS = [
  '("x" * 3000000000) | length',
  "items * 999999999",
  "range(999999999) | list",
  "range(99999) | map('replace', '', a * 999) | list",
  "'%999999999d' % 1",
]
LOOPS = [
  "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
  "{% set n = namespace(t=a) %}{% for i in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}",
]


@pytest.mark.parametrize("text", [*(f"- {{{{ {text} }}}}" for text in ENDLESS), *LOOPS])
def test_the_work_of_a_template_is_bounded(text):
  render = templates.compiled(text)
  with pytest.raises(jinja2.TemplateError):
    render({"a": "xy", "items": ["x"]})
  assert templates.compiled("{{ a * 3 }}")({"a": "x"}) == "xxx"  # each render has a budget of its own


@pytest.mark.parametrize("text", ENDLESS)
def test_the_work_of_an_expression_is_bounded(text):
  with pytest.raises(jinja2.TemplateError):
    templates.expression(text)({"a": "xy", "items": ["x"]})
  assert templates.expression("items * 3")({"items": ["x"]}) == ["x"] * 3


@pytest.mark.parametrize(
  "text", ["{{ 9 ** 9 ** 9 }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ a|center(9) }}"]
)
def test_what_cannot_be_bounded_is_refused_when_compiled(text):
  with pytest.raises(errors.FlanJaxError, match="not a template"):
    templates.compiled(text)


@pytest.mark.parametrize("text", ["{{ a }} {{ missing }}", "{% if a %}{{ missing }}{% endif %}"])
def test_an_undefined_field_is_an_error(text):
  with pytest.raises(templates.RENDER_ERRORS):
    templates.compiled(text)({"a": "x"})


def test_a_wording_that_uses_another_field_is_refused_when_compiled():
  with pytest.raises(errors.FlanJaxError, match=r"type t: wording w uses anser; the fields are answer, question"):
    templates.compile_wording(specs.Wording("w", "{{ anser }}"), ["question", "answer"], "type t")
  with pytest.raises(errors.FlanJaxError, match="not a template"):
    templates.compile_wording(specs.Wording("w", "{% if %}"), ["question"], "type t")


@pytest.mark.parametrize(
  ("wording", "with_options"),
  [
    ("{{ q }}", "Sum?\nOptions:\n- 1"),
    ("{{ q }}\nAnswer:", "Sum?\nOptions:\n- 1\nAnswer:"),
    ("Now: {{ q }}\n\nAnswer:", "Now: Sum?\nOptions:\n- 1\n\nAnswer:"),
    ("{{ q }}\n=>", "Sum?\nOptions:\n- 1\n=>"),
    ("{{ q }}\nBe brief.", "Sum?\nBe brief.\nOptions:\n- 1"),
    ("Asked:\n{{ q }}", "Asked:\nSum?\nOptions:\n- 1"),
    ("{{ q }}\nSo {{ q }}:", "Sum?\nSo Sum?:\nOptions:\n- 1"),
  ],
)
def test_options_stand_after_the_question_and_before_a_cue(wording, with_options):
  turn = templates.compile_wording(specs.Wording("w", wording), ["q"], "type t").turn
  assert turn.render({"q": "Sum?"}, "Options:\n- 1") == with_options
  assert turn.render({"q": "Sum?"}) == wording.replace("{{ q }}", "Sum?")
