"""Few-shot and reasoning prompts are made of a type's own wordings: none is lost, and no cue stands twice."""

import pytest

from flan_jax.data import formats, frames

ENTRY = {
  "name": "t",
  "fields": ["text", "answer"],
  "optional": ["rationale"],
  "bare": "{{ text }}",
  "wordings": ["What of {{ text }}?", "{{ text }}\nVerdict:", "Judge: {{ text }}\nIn a word:"] * 4,
}
DERIVED = [name for name, form in formats.FORMATS.items() if form.trained and name != "zero_shot"]


@pytest.mark.parametrize("form", DERIVED)
def test_each_format_has_ten_wordings_that_hold_the_fields(form):
  made = frames.derived(form, ENTRY)
  assert len(made) >= 10
  assert all("{{ text }}" in wording["turn"] and "{turn}" not in wording["turn"] for wording in made)


@pytest.mark.parametrize("form", ["cot", "few_shot_cot"])
def test_a_rationale_never_follows_the_wordings_own_cue(form):
  turns = [wording["turn"] for wording in frames.derived(form, ENTRY)]
  assert not any("Verdict:" in turn or "In a word:" in turn for turn in turns)


def test_a_frames_cue_takes_the_place_of_the_wordings():
  for wording in frames.derived("few_shot", ENTRY):
    cues = sum(line.endswith((":", "=>")) for line in wording["turn"].split("\n"))
    assert cues <= 1


def test_bare_turns_say_nothing_of_the_task():
  for wording in frames.derived("few_shot_bare", ENTRY):
    assert "head" not in wording
    assert not set(wording["turn"].replace("{{ text }}", "").lower().split()) & {"what", "judge", "verdict", "answer"}


def test_a_type_is_asked_only_as_it_can_be():
  assert frames.derived("zero_shot", ENTRY) == frames.derived("continuation", ENTRY) == []
  assert frames.derived("bare", ENTRY) == [{"turn": "{{ text }}"}]
  assert frames.derived("cot", {**ENTRY, "optional": []}) == []
  assert all(frames.derived(form, {**ENTRY, "bare": ""}) == [] for form in formats.FORMATS)
