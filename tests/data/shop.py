"""Two toy collections and what is found in files beside them, for tests of mixtures: no example is ever read."""

import pathlib

TYPES = r"""
- name: shop_pair
  fields: [one, two]
  optional: [rationale]
  target: "{{ two }}"
  inverted: shop_pair_inverted
  bare: "{{ one }}"
  wordings: ["{{ one }}?", "What of {{ one }}"]
  cot_wordings: ["Think: {{ one }}"]
- name: shop_pair_inverted
  fields: [one, two]
  target: "{{ one }}"
  bare: "{{ two }}"
  wordings: ["{{ two }}!"]
"""

BAKERY = r"""
- name: "{name}"
  for_each:
    - {name: rye, cluster: bread, licence: MIT, cap: 40, tags: [dark]}
    - {name: oat, cluster: bread, licence: CC BY 4.0, cap: 100000, tags: []}
    - {name: bun, cluster: sweets, licence: "", cap: 100000, tags: [dark, small]}
    - {name: pie, cluster: sweets, licence: Unknown, cap: 7, tags: [small]}
  reader: {jsonl: "bakery/{name}.jsonl"}
  type: shop_pair
  cluster: "{cluster}"
  licence: "{licence}"
  cap: "{cap}"
  tags: "{tags}"
- {name: exam, reader: {jsonl: bakery/exam.jsonl}, type: shop_pair, cluster: exams, evaluation_only: true}
"""

FARM = r"""
- {name: milk, reader: {jsonl: farm/milk.jsonl}, type: shop_pair, cluster: drinks, inverted: false, licence: cc-by-sa}
- {name: corn, reader: {jsonl: farm/corn.jsonl}, type: shop_pair, cluster: loaves, inverted: false, licence: MIT}
- {discover: shop_files, folder: found, origin: the weekly market}
"""

MIXTURES = r"""
- name: breakfast
  note: a toy
  parts:
    - {name: bread, share: 50, tasks: [bakery.*], clusters: [bread], inverted: 0.3}
    - {name: sweets, share: 30, cap: 9, tasks: [bakery.*], clusters: [sweets], formats: {zero_shot: 1}}
    - {name: cot, share: 20, tasks: [farm.milk, farm.corn], formats: {cot: 1, few_shot_cot: 1}, options: always}
- {name: everything, tasks: [bakery.*, farm.*], max_per_task: 20}
- {name: dark, tasks: [bakery.*], tags: [dark], without_tags: [small]}
- {name: no_pie, tasks: [bakery.*], without_tasks: [bakery.p*]}
- {name: not_bread, tasks: [bakery.*, farm.*], held_out_clusters: [bakery.bread]}
- {name: found, tasks: [farm.found_*]}
- name: half_found
  parts:
    - {name: bread, share: 1, tasks: [bakery.*], clusters: [bread]}
    - {name: market, share: 3, tasks: [farm.found_*]}
- {name: exams, tasks: [bakery.exam], evaluation_only: true}
"""

CLUSTERS = r"""
- {group: grain, clusters: {bakery: [bread], farm: [loaves]}, related: [drink]}
- {group: drink, clusters: {farm: [drinks]}}
"""

_FILES = {
  "bakery/types.yaml": TYPES,
  "bakery/tasks.yaml": BAKERY,
  "farm/tasks.yaml": FARM,
  "mixtures.yaml": MIXTURES,
  "clusters.yaml": CLUSTERS,
}


def write(root: pathlib.Path) -> None:
  """Puts the collections into a folder for FLAN_JAX_COLLECTIONS."""
  for name, text in _FILES.items():
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def shop_files(folder, entry):
  """The discovery of the farm's other tasks: one a file of DATA_DIR/found."""
  for path in sorted((folder / entry["folder"]).glob("*.jsonl")) if folder else ():
    reader = {"jsonl": f"{entry['folder']}/{path.name}"}
    yield {"name": f"found_{path.stem}", "reader": reader, "type": "shop_pair", "cluster": "found", "inverted": False}
