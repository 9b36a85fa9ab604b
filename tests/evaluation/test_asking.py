"""How questions are put: in batches that depend on nothing but the questions; choices ranked rather than written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.decoding.batching import slot_length
from flan_jax.evaluation import asking
from flan_jax.evaluation.answering import Output
from flan_jax.evaluation.asking import AnswerOptions, Asked
from flan_jax.evaluation.suites.question import Question
from tests.evaluation.untrained import StandIn


def question(number: int, mode: str = "direct", **others) -> Question:
  return Question("s", "t", f"{number}", mode, f"Which is {number}?", ("b",), "label", ("a", "b", "c"), **others)


@given(
  asked=st.lists(
    st.tuples(st.sampled_from(("direct", "cot")), st.booleans(), st.sampled_from((1, 5, 40)), st.integers(1, 9)),
    max_size=60,
  ),
  outputs=st.integers(1, 64),
)
def test_batches_hold_everything_once_and_what_shares_one_is_decoded_alike(asked, outputs):
  everything = [
    Asked(question(i, mode, ranked=ranked), n, prompt_tokens=length)
    for i, (mode, ranked, n, length) in enumerate(asked)
  ]
  found = asking.batches(everything, outputs)
  assert sorted(each.question.id for batch in found for each in batch) == sorted(
    each.question.id for each in everything
  )
  for batch in found:
    assert len({(each.question.ranked, each.question.mode, each.n) for each in batch}) == 1
    assert len(batch) * batch[0].n <= max(outputs, batch[0].n)
    assert [each.prompt_tokens for each in batch] == sorted((each.prompt_tokens for each in batch), reverse=True)
  assert len({id(each) for batch in found for each in batch}) == len(everything)


@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=80), outputs=st.integers(1, 30))
def test_batches_are_of_few_shapes(lengths, outputs):
  asked = [Asked(question(i), 1, prompt_tokens=length) for i, length in enumerate(lengths)]
  sizes = {}
  for batch in asking.batches(asked, outputs):
    (slot,) = {slot_length(each.prompt_tokens) for each in batch}
    sizes.setdefault(slot, []).append(len(batch))
  assert all(max(several) - min(several) <= 1 for several in sizes.values())


@pytest.mark.parametrize("rank", ["sum", "length", "prior"])
def test_a_ranked_answer_is_the_likeliest_choice(rank):
  batch = [Asked(question(i, ranked=True), 1) for i in range(6)]
  done = []
  found = asking.answer(batch, StandIn(), AnswerOptions(rank=rank), done.append)
  assert sum(done) == len(batch)
  assert [each.id for each in found] == [each.question.id for each in batch]
  stand_in = StandIn()
  for each in found:
    ((_, sums),) = stand_in.log_probabilities([each.prompt], [each.choices])
    ((_, baselines),) = stand_in.log_probabilities(["Answer:"], [each.choices])
    lengths = stand_in.token_counts(each.choices)
    expected = {
      "sum": sums,
      "length": [one / length for one, length in zip(sums, lengths, strict=True)],
      "prior": [one - other for one, other in zip(sums, baselines, strict=True)],
    }[rank]
    assert each.choice_scores == pytest.approx(expected)
    assert each.output == each.extracted == each.choices[expected.index(max(expected))]
    assert each.correct == (each.extracted == "b")
    assert each.log_probability == sums[1]


def test_numbers_that_json_has_no_word_for_are_none():
  class Broken(StandIn):
    def log_probabilities(self, prompts, candidates, **options):
      for index, several in enumerate(candidates):
        yield index, [float("nan")] * len(several)

  (found,) = asking.answer([Asked(question(0), 1)], Broken(), AnswerOptions(), lambda done: None)
  assert found.log_probability is None
  assert "NaN" not in found.json()


class OneOutput:
  """Writes one output and keeps what it is asked to score."""

  def __init__(self, output):
    self.output, self.scored = output, []

  def outputs(self, prompts, **_):
    return ((index, [Output(self.output)]) for index in range(len(prompts)))

  def log_probabilities(self, prompts, candidates, *, prefixes=None, eos=True):
    self.scored += [prefix + target for prefix, (target,) in zip(prefixes, candidates, strict=True)]
    return ((index, [-1.0]) for index in range(len(prompts)))


@pytest.mark.parametrize(
  ("output", "kind", "target"),
  [
    ("Two and two are 4. So the answer is 4.", "number", "4"),
    ("The halves are 9 each.\n#### 18", "number", "18"),
    ("Zwei und zwei sind 4. Die Antwort ist 4.", "number", "4"),
    ("2 と 2 で 4。答えは4です。", "number", "4"),
    ("It must be the second. The answer is\n(B).", "option", "(B)"),
    ("The list turns round. The answer is b c a.", "text", "b c a"),
    ("So it is.\nYes", "label", "Yes"),
  ],
)
def test_a_target_is_scored_where_the_model_wrote_it(output, kind, target):
  """Without the space before it a right answer's probability would be that of another text."""
  answerer = OneOutput(output)
  asked = Asked(Question("s", "t", "0", "cot", "Which?", (target,), kind), 1)
  (found,) = asking.answer([asked], answerer, AnswerOptions(), lambda _: None)
  assert found.correct
  assert output.startswith(answerer.scored[0])
