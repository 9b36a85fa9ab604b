"""`eval` and `infer` end to end on a model of two steps: files, table, JSON, notes, refusals."""

import json

import pytest

from flan_jax.cli.main import run
from flan_jax.evaluation.held_out.results import Results
from flan_jax.models.configs import T5Config
from flan_jax.training.train import Training

TASK, OTHER = "demo.chain_reverse_drop_first", "demo.chain_reverse_drop_last"


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
  folder = tmp_path_factory.mktemp("run")
  model = T5Config(
    vocab_size=1536, emb_dim=32, num_heads=2, head_dim=16, mlp_dim=32, num_encoder_layers=1, num_decoder_layers=1
  )
  Training(
    model=model,
    mixture_or_task_name=TASK,
    vocabulary="demo",
    task_feature_lengths={"inputs": 128, "targets": 16},
    train_steps=2,
    batch_size=8,
    model_dir=str(folder / "model"),
    store_dir=str(folder / "store"),
  ).run()
  return folder / "model"


def test_before_and_after_as_table_and_files(model_dir, tmp_path, capsys):
  before = str(model_dir / "checkpoints" / "0")
  asked = ["--task", TASK, "--examples", "4", "--formats", "zero_shot,cot", "--swap", "--rank"]
  assert run(["eval", str(model_dir), "--before", before, *asked, "--output", str(tmp_path / "new" / "out")]) == 0
  said = capsys.readouterr()
  assert "answering (before)" in said.err
  assert "zero-shot" in said.out
  results = Results.read(tmp_path / "new" / "out" / "results.json")
  assert [(row.split, row.task, row.format, row.n) for row in results.rows] == [
    ("seen", TASK, "zero_shot", 4),
    ("seen", TASK, "cot", 4),
  ]
  assert all(row.before is not None for row in results.rows)
  assert [(row.pairs, row.ranked) for row in results.rows] == [(4, 0), (0, 0)]  # it has no choices
  assert [each.which for each in results.differences if each.cluster is None] == ["before", "after"]
  assert "minus zero-shot" in said.out
  files = [tmp_path / "new" / "out" / name for name in ("predictions.jsonl", "predictions_before.jsonl")]
  after, before = ([json.loads(line) for line in file.read_text().splitlines()] for file in files)
  assert len(after) == len(before) == 2 * 4 + 4
  assert [each["prompt"] for each in after] == [each["prompt"] for each in before]
  assert {"prompt", "output", "extracted", "target", "correct"} <= after[0].keys()
  assert (tmp_path / "new" / "out" / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_one_checkpoint_as_json_on_a_task_that_it_never_saw(model_dir, capsys):
  assert run(["eval", str(model_dir), "--task", OTHER, "--examples", "2", "--formats", "zero_shot", "--json"]) == 0
  content = json.loads(capsys.readouterr().out)
  row = content["rows"][0]
  assert (row["split"], row["n"], row["before"], row["before_ci"]) == ("held_out", 2, None, None)
  assert any(OTHER in note for note in content["about"]["notes"])  # its cluster was trained on


def test_the_same_request_gives_the_same_results(model_dir, tmp_path, capsys):
  asked = ["eval", str(model_dir), "--task", TASK, "--examples", "3", "--json"]
  outputs = []
  for _ in range(2):
    assert run(asked) == 0
    outputs.append(capsys.readouterr().out)
  assert outputs[0] == outputs[1]


def test_prompts_from_arguments_and_a_file(model_dir, tmp_path, capsys):
  (tmp_path / "prompts.txt").write_text('Reverse: a b\n{"prompt": "Reverse: c d"}\n')
  assert run(["infer", str(model_dir), "--file", str(tmp_path / "prompts.txt"), "--json"]) == 0
  from_file = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
  assert [line["prompt"] for line in from_file] == ["Reverse: a b", "Reverse: c d"]
  assert run(["infer", str(model_dir), "Reverse: a b", "Reverse: c d"]) == 0
  assert capsys.readouterr().out == "".join(line["output"] + "\n" for line in from_file)


def test_samples_beams_and_stop_strings(model_dir, capsys):
  """Three samples on one device and on eight, the best of two beams, and an output that ends early."""

  def outputs(*options):
    assert run(["infer", str(model_dir), "Reverse: a b", "--max_new_tokens", "6", "--json", *options]) == 0
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["output"] == line.get("outputs", [line["output"]])[0]
    return line.get("outputs", [line["output"]])

  drawn = ("--temperature", "1.5", "--samples", "3", "--seed", "5")
  samples = outputs(*drawn)
  assert len(set(samples)) > 1
  assert outputs(*drawn, "--sharding", "data_parallel") == samples
  first = samples[0].strip()
  assert len(first) > 1
  assert outputs(*drawn, "--stop", first[1])[0] == samples[0][: samples[0].index(first[1])]
  assert len(outputs("--beams", "2")) == 1


@pytest.mark.parametrize(
  ("arguments", "code", "message"),
  [
    (["--vocabulary", "{small}"], 2, "is not the vocabulary that"),
    (["--task", "demo.step_first", "--mixture", "demo"], 2, "one thing"),
    (["--formats", "zeroshot"], 2, "Nearest: zero_shot"),
    (["--formats", ","], 2, "no task of demo.step_first has prompts"),
    (["--shots", "5,2"], 2, "--shots 5,2"),
    (["--before", "nowhere"], 2, "nowhere is not there. Wanted: a MODEL_DIR"),
    (["--before", "file:///no/where"], 2, "file:///no/where holds no checkpoint"),
    (["--output", "{file}/out"], 1, "{file}"),
  ],
)
def test_mistakes(arguments, code, message, model_dir, small_vocabulary, tmp_path, capsys):
  (tmp_path / "file").touch()
  names = {"small": small_vocabulary, "file": str(tmp_path / "file")}
  arguments = [argument.format(**names) for argument in arguments]
  task = [] if "--mixture" in arguments else ["--task", "demo.step_first"]
  assert run(["eval", str(model_dir), *task, *arguments]) == code
  said = capsys.readouterr()
  assert message.format(**names) in said.err
  assert said.out == ""


def test_a_folder_without_a_checkpoint(tmp_path, capsys):
  assert run(["eval", str(tmp_path), "--task", TASK]) == 2
  assert "holds no checkpoint" in capsys.readouterr().err
