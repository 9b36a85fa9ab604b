"""Where `infer` takes its prompts from."""

import pytest

from flan_jax.cli.infer import read_prompts
from flan_jax.cli.main import run
from flan_jax.errors import FlanJaxError


def test_a_line_is_a_prompt_or_a_json_object():
  text = 'What is 1 + 1?\n\n  \n{"prompt": "two\\nlines", "id": 3}\nfirst\\nsecond\n{x} as it is\n'
  assert read_prompts(text, "f") == ["What is 1 + 1?", "two\nlines", "first\nsecond", "{x} as it is"]


def test_only_a_line_feed_ends_a_prompt():
  text = "one\u2028still one\x0b\x85.\ntwo\n"
  assert read_prompts(text, "f") == ["one\u2028still one\x0b\x85.", "two"]


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "f: no prompt"),
    (" \n", "f: no prompt"),
    ('a\n{"prompt"', "f:2: not a JSON object with 'prompt'"),
    ('{"input": "a"}', "f:1: not a JSON object with 'prompt'"),
    ('{"prompt": 3}', "f:1: 'prompt' is no text"),
  ],
)
def test_what_is_no_prompt_is_named_by_line(text, message):
  with pytest.raises(FlanJaxError, match=message):
    read_prompts(text, "f")


@pytest.mark.parametrize(
  ("arguments", "code", "message"),
  [
    (["nowhere", "Hello"], 2, "nowhere is not there. Wanted: a MODEL_DIR"),
    (["file:///no/where", "Hello"], 2, "file:///no/where holds no checkpoint"),
    ([".", "Hello", "--file", "x"], 2, "prompts or --file, not both"),
    ([".", "--file", "no/such/file"], 1, "no/such/file: No such file or directory"),
    ([], 2, "Missing argument 'CHECKPOINT'"),
    ([".", "Hello", "--samples", "3"], 2, "greedy answers are all alike"),
    ([".", "Hello", "--samples", "3", "--beams", "2"], 2, "2 beams give no more than 2"),
    ([".", "Hello", "--beams", "2", "--top_k", "4"], 2, "--beams searches and --top_k draws"),
    (["nowhere", "Hello", "--sharding", "nothing"], 2, "nothing"),
  ],
)
def test_mistakes(arguments, code, message, capsys):
  assert run(["infer", *arguments]) == code
  assert message in capsys.readouterr().err
