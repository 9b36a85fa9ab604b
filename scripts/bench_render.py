"""Renders a task's examples in each format and prints how many a second one core does.

python scripts/bench_render.py                                        # an embedded task
python scripts/bench_render.py --task cot.gsm8k --data_dir D --json
"""

import argparse
import json
import time

from flan_jax.data import formats, rendering, specs


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--task", default="demo.name_kind")
  parser.add_argument("--data_dir", help="also the tasks that are found in it are listed")
  parser.add_argument("--examples", type=int, default=2000, help="different examples that are rendered")
  parser.add_argument("--seconds", type=float, default=2.0, help="how long each format is measured")
  parser.add_argument("--json", action="store_true")
  args = parser.parse_args()
  started = time.perf_counter()
  tasks = len(specs.task_names(None, args.data_dir))
  listing = time.perf_counter() - started  # first of all, so that every file is read in it
  renderer = rendering.Renderer(args.task, args.data_dir)
  rates = {form: measured(renderer, form, args.examples, args.seconds) for form in renderer.formats}
  result = {"task": args.task, "examples_per_s": rates, "tasks": tasks, "listing_s": listing}
  if args.json:
    print(json.dumps(result))
    return
  for form, rate in rates.items():
    print(f"{args.task} {form:>13}: {rate:>9,.0f} examples/s a core")
  print(f"listing {tasks} tasks: {1000 * listing:.1f} ms")


def measured(renderer: rendering.Renderer, form: str, examples: int, seconds: float) -> float:
  """Examples rendered in a second of processor time; reading them, which a few-shot prompt does too, comes before."""
  rationale = formats.FORMATS[form].rationale
  read = (renderer.source[i] for i in range(min(examples, len(renderer.source))))
  pool = [example for example in read if not rationale or "rationale" in example.fields]
  renderer.render(pool[0], format=form)  # splits are found once
  done, started = 0, time.process_time()
  while (spent := time.process_time() - started) < seconds:
    for example in pool:
      renderer.render(example, variant=done, format=form)
    done += len(pool)
  return done / spent


if __name__ == "__main__":
  main()
