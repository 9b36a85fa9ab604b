"""`flan-jax sweep --dry_run`: the runs of a sweep with what each will cost, the sums, and what was assumed for them."""

import dataclasses
from collections import Counter
from typing import Any

from rich.markup import escape

from flan_jax import terminal
from flan_jax.cli import listings
from flan_jax.sweeps.plan import Plan
from flan_jax.sweeps.pricing import pricing, rates, store_sizes, workload
from flan_jax.sweeps.pricing.pricing import Price, PriceList

_ON_TERMINAL = ("run", "steps", "examples", "tokens", "FLOPs", "hours", "disk")
_NOTES = 3  # on what is missing; --json has that of each run
_BASES = {
  workload.STORES: "stores that stand, planned as the runs will read them; exact for the first 32 windows of each",
  workload.SAMPLE: "a sample of up to 64 examples a task, rendered and packed here, since not all stores stand",
  workload.FULL_ROWS: "full rows of one example each, which is the most that it can be, since data is missing",
}


def content(plan: Plan, accelerator: str, devices: int | None, utilisation: float | None) -> dict[str, Any]:
  """Prices as plain JSON values: `runs`, `sums`, `rate`, `assumptions`.

  Raises:
    FlanJaxError: see `pricing.priced`.
  """
  prices = pricing.priced(plan, accelerator, devices, utilisation)
  return {
    "sweep": plan.sweep.name,
    "folder": str(plan.folder),
    "rate": {
      "device": prices.rate.device,
      "devices": prices.rate.devices,
      "flops_per_s": prices.rate.flops_per_s,
      "said": prices.rate.said,
    },
    "runs": [
      {"run": run.name, "axes": dict(run.axes), "tuned": run.tuned, **_of_run(price, prices)}
      for run, price in zip(plan.runs, prices.prices, strict=True)
    ],
    "sums": {
      "runs": len(plan.runs),
      "flops": prices.flops,
      "paper_flops": sum(price.paper_flops for price in prices.prices),
      "tokens": sum(price.tokens for price in prices.prices),
      "device_hours": prices.device_hours,
      "hours": prices.hours,
      "evaluation_hours": prices.evaluation_hours,
      "stores": len(prices.stores),
      "missing_stores": len(prices.missing),
      "store_bytes": sum(prices.stores.values()),
      "checkpoint_bytes": prices.checkpoint_bytes,
    },
    "assumptions": assumptions(prices),
  }


def _of_run(price: Price, prices: PriceList) -> dict[str, Any]:
  # Stores by folder are thousands; their sum stands for them.
  left = {"run", "stores", "missing"}
  values = {field.name: getattr(price, field.name) for field in dataclasses.fields(price) if field.name not in left}
  hours = price.device_hours / prices.rate.devices
  return {**values, "hours": hours, "stores": len(price.stores), "store_bytes": price.store_bytes}


def assumptions(prices: PriceList) -> list[str]:
  """What the figures follow from and what they leave out, a sentence each."""
  rate, bases = prices.rate, Counter(price.basis for price in prices.prices)
  notes = list(dict.fromkeys(price.note for price in prices.prices if price.note))
  return [
    "FLOPs: three forward passes over the real tokens of the rows, without padding and recomputation; "
    "training/flops.py has the formula.",
    *(f"Rows of {count} of the runs: {_BASES[basis]}." for basis, count in bases.items() if basis in _BASES),
    *(f"Missing: {note}" for note in notes[:_NOTES]),
    f"Hours: FLOPs / (devices x FLOP/s x 3600), devices never idle; {rate.devices} x {rate.device}, {rate.said}.",
    f"Left out: preparing stores, {_evaluation(prices)}"
    f"{'.' if rate.of_model else ', held-out evaluations while training, start and compilation.'}",
    "Paper's rule: 3 x parameters x all slots of the rows. With rounded parameters it gives the finetuning FLOPs that "
    "Chung et al. 2022 print (Table 2).",
    *_missing_stores(prices),
  ]


def _missing_stores(prices: PriceList) -> list[str]:
  unseen = frozenset().union(*(price.missing for price in prices.prices if price.basis == workload.FULL_ROWS))
  sampled = len(prices.missing - unseen)
  lines = [f"Stores: {sampled:,} do not stand; their sizes are those of samples."] if sampled else []
  if unseen:
    lines.append(
      f"Stores: of {len(unseen):,} tasks nothing is here; they have as many examples as published, else as their caps, "
      f"of {store_sizes.TOKENS} tokens each."
    )
  return lines


def _evaluation(prices: PriceList) -> str:
  hours = prices.evaluation_hours
  if hours is None:
    return "evaluation (known when a first run is finished)"
  return f"evaluation ({hours:.3g} hours for all runs, one after another, if they take as long as the finished ones)"


def show(content: dict[str, Any]) -> None:
  """Prints a line a run, the sums and the assumptions."""
  rate, sums, console = content["rate"], content["sums"], terminal.console()
  listings.show_table([_line(run, rate) for run in content["runs"]], _ON_TERMINAL)
  where = f"{rate['devices']} x {rate['device']}"
  stores = f"{sums['stores']:,} stores of {size(sums['store_bytes'])}" if sums["stores"] else "stores of unknown size"
  console.print(
    f"\n[bold]{escape(content['sweep'])}[/]: {sums['runs']:,} runs, {sums['flops']:.3g} FLOPs "
    f"({sums['paper_flops']:.3g} by the paper's rule), {sums['tokens']:,} tokens: {sums['hours']:,.3g} hours on "
    f"{escape(where)}; {stores}, {size(sums['checkpoint_bytes'])} of checkpoints"
  )
  for line in content["assumptions"]:
    console.print(f"[dim]{escape(line)}[/]")


def _line(run: dict[str, Any], rate: dict[str, Any]) -> dict[str, Any]:
  # A run of a CPU has a core of its own; one of accelerators has them all.
  hours = run["device_hours"] if rate["device"] == rates.CPU else run["hours"]
  return {
    "run": run["run"],
    "steps": run["steps"],
    "examples": "" if run["examples"] is None else run["examples"],
    "tokens": run["tokens"],
    "filled": f"{run['filled']:.1%}",
    "FLOPs": f"{run['flops']:.3g}",
    "paper's rule": f"{run['paper_flops']:.3g}",
    "published": f"{run['published_flops']:.3g}" if run["published_flops"] else "",
    "pretraining": f"{run['pretraining_flops']:.3g}" if run["pretraining_flops"] else "",
    "hours": f"{hours:,.3g}",
    "parameters": run["parameters"],
    "disk": size(run["checkpoints"] * run["checkpoint_bytes"]),
    "checkpoints": f"{run['checkpoints']} x {size(run['checkpoint_bytes'])}",
    "stores": size(run["store_bytes"]) if run["store_bytes"] else "",
    "from": run["basis"],
  }


def size(count: float) -> str:
  """Bytes for people, in powers of 1,000.

  >>> size(1_234_567)
  '1.2 MB'
  """
  for unit in ("B", "kB", "MB", "GB", "TB"):
    if count < 1000 or unit == "TB":
      return f"{count:,.1f} {unit}" if unit != "B" else f"{count:,.0f} B"
    count /= 1000
  raise AssertionError
