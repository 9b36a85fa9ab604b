"""Templates of strangers: no way out of the record, bounded work, choices by hash."""

import copy
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data.readers import NoExample, prompt_sandbox

RECORD = {"text": "one two", "numbers": [1, 2, 3], "nested": {"a": [{"b": "c"}]}}


def rendered(template, key="k", **columns):
  return prompt_sandbox.compiled(template, "t.yaml")({**copy.deepcopy(RECORD), **columns}, key)


@pytest.mark.parametrize(
  "template",
  [
    "{{ text.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ text['__class__'] }}",
    "{{ text['__cl' + 'ass__'] }}",
    "{{ nested['_' + '_class_' + '_'] }}{{ (numbers | first)['__cla' + 'ss__'] }}",
    "{{ numbers | map(attribute='__class__') | list }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__self__ }}",
    "{{ '{0.__class__}'.format(text) }}",
    "{{ text.format_map(nested) }}",
    "{{ text.encode('utf-8') }}",
    "{{ lipsum() }}",
    "{{ cycler('a') }}",
    "{{ self }}",
    "{% import 'os' as os %}",
    "{% include '/etc/passwd' %}",
    "{% extends 'x' %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% for x in numbers recursive %}{{ loop(numbers) }}{% endfor %}",
    "{{ text | attr('__class__') }}",
    "{{ text | center(1000000000) }}",
  ],
)
def test_no_way_out(template):
  with pytest.raises((errors.FlanJaxError, ValueError)):
    rendered(template)


@pytest.mark.parametrize(
  "template",
  [
    "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
    "{% for a in range(999999999) %}{% endfor %}",
    "{{ 'x' * 999999999 }}",
    "{{ numbers * 999999999 }}",
    "{{ 999999999 * 'x' }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{% set n = namespace(x='xx') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x='xx') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='xx') %}{% for i in range(99) %}{% set n.x = n.x.replace('x', 'xx') %}{% endfor %}",
    "{% set n = namespace(x='xx') %}{% for i in range(99) %}{% set n.x = n.x | replace('x', 'xx') %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% set n = namespace(x='x' * 9999) %}{% for i in range(9999) %}{{ n.x.join(range(9999)) }}{% endfor %}",
    "{% for i in range(99999) %}{{ range(99999) | join('x') }}{% endfor %}",
    "{% for i in range(99999) %}{{ range(99999) | map('string') | list }}{% endfor %}",
    "{{ 1.5 | round(20000000, 'floor') }}",
    "{{ 1 | round(-20000000) }}",
    "{{ ('a' * 100000).strip('b' * 100000 ~ 'a') }}",
    "{{ ('a' * 100000) | trim('b' * 100000 ~ 'a') }}",
    "{{ ('a' * 100000) | trim(chars='b' * 100000 ~ 'a') }}",
    "{% set l = range(9000) | list %}{% for i in range(1999) %}{% if l.count(-1) %}{% endif %}{% endfor %}",
    "{% set l = range(9000) | list %}{{ range(1999) | select('in', l) | list | length }}",
    "{% set l = range(9000) | list %}{% for i in range(1999) %}{% if i is in l %}{% endif %}{% endfor %}",
    "{% set l = range(9000) | list %}{% for i in range(1999) %}{% if l[1:] %}{% endif %}{% endfor %}",
    "{% set l = range(9000) | list %}{% for i in range(1999) %}{% if l.insert(0, 1) %}{% endif %}{% endfor %}",
    "{% for i in range(99999) %}{% if range(99999) | list %}{% endif %}{% endfor %}",
    "{% set l = [[1, 2, 3]] * 2000 %}{{ l | sum(start=[]) | length }}",
    "{{ numbers.append(numbers) }}{% for i in range(99) %}{{ numbers.append(numbers) }}{% endfor %}{{ numbers }}",
  ],
)
def test_work_is_bounded(monkeypatch, template):
  monkeypatch.setattr(prompt_sandbox, "BUDGET", prompt_sandbox.BUDGET // 50)  # bounded all the same, and sooner
  with pytest.raises((errors.FlanJaxError, ValueError)) as told:
    rendered(template)
  assert str(told.value)


def test_bounds_leave_what_templates_do_as_it_is():
  texts = [f"text {i} " * 20 for i in range(200)]
  collected = "{% set l = [] %}{% for t in texts %}{{ l.append(t) or '' }}{% endfor %}{{ l | length }}"
  assert rendered(collected, texts=texts) == "200"
  assert rendered("{{ numbers | sum }} {{ [{'a': 2}] | sum(attribute='a') }} {{ 2.345 | round(2) }}") == "6 2 2.35"
  assert rendered("{{ 7 | round(method='floor') }} {{ ' a ' | trim }} {{ '-a-' | trim('-') }}") == "7.0 a a"
  assert rendered("{{ numbers | select('odd') | list }}{{ numbers[1:] }}{{ 2 is in numbers }}") == "[1, 3][2, 3]True"
  assert rendered("{{ x is defined }}{{ text is defined }}{{ 'upper' is filter }}{{ [] | most_frequent }}") == (
    "FalseTrueTrue[]"
  )


def test_a_column_that_is_not_there_is_told_and_a_list_that_is_too_short_is_not():
  with pytest.raises(ValueError, match="no column 'question'"):
    rendered("{{ question }}")
  with pytest.raises(ValueError, match="no column 'question'"):
    rendered("{% if question %}a{% endif %}")
  assert rendered("{{ numbers[7] }}{{ question | default('-') }}") == "-"
  assert rendered("{% if numbers[7] %}{% set x = 1 %}{% endif %}{{ x }}") == ""


@given(st.lists(st.integers(), min_size=1), st.text(max_size=5))
def test_choices_are_of_the_values_and_depend_on_the_key_alone(values, key):
  template = "{% for i in range(4) %}{{ values | choice }} {% endfor %}"
  first = rendered(template, key, values=values)
  assert first == rendered(template, key, values=values)
  assert {int(value) for value in first.split()} <= set(values)


def test_choices_vary_with_the_key_and_constants_are_no_exception():
  template = "{{ ['a', 'b', 'c', 'd'] | choice }}{{ range(1, 12) | choice }}{{ numbers | random }}"
  assert len({rendered(template, str(key)) for key in range(100)}) > 30
  assert rendered("{{ [3, 3, 1, 1, 2] | most_frequent | join(',') }}") == "3,1"
  with pytest.raises(NoExample, match="nothing to choose"):
    rendered("{{ [] | choice }}")


@settings(max_examples=200, deadline=None)
@given(
  st.lists(
    st.sampled_from(
      ["{{", "}}", "{%", "%}", "for", "in", "if", "set", "end", "|", "(", ")", "[", "]", "~", "+", "*", "=", "."]
    )
    | st.sampled_from(
      ["text", "numbers", "nested", "range", "choice", "join", "x", "9999999", "'a'", "endfor", "endif"]
    )
    | st.text(string.printable, max_size=3)
  ).map(" ".join)
)
def test_any_text_is_refused_or_rendered(template):
  try:
    render = prompt_sandbox.compiled(template, "t.yaml")
  except errors.FlanJaxError as error:
    reason = str(error)
    assert reason.startswith("t.yaml")
    return
  try:
    assert isinstance(render(copy.deepcopy(RECORD), "k"), str)
  except (ValueError, NoExample, errors.FlanJaxError) as error:
    reason = str(error)
    assert reason
