"""Examples of a generator's questions, and from a phrasing back to what it asks."""

import functools
import random
import re


def examples(module, question, n=40):
  """Examples of one question: each text with what is asked of it, and then with the other thing asked of it.

  Returns:
    (text, what is asked, the phrase, answer) of both.
  """
  found = []
  for seed in range(n):
    fields = module.generate(random.Random(f"{question} {seed}"), question)
    for before in ("", "other_"):
      phrase = fields.get(f"{before}ask") or fields.get(f"{before}question")
      if phrase:
        found.append((fields["text"], asked(module, phrase), phrase, fields[f"{before}answer"]))
  return found


def asked(module, phrase):
  """The first question of a module that is asked so."""
  return next(question for question, forms in _forms(module) if any(form.fullmatch(phrase) for form in forms))


@functools.cache
def _forms(module):
  return [
    (question, [re.compile(re.sub(r"\\{\w+\\}", r"\\w+", re.escape(phrase))) for phrase in phrases])
    for question, phrases in module.ASKS.items()
  ]
