"""flan_jax: instruction finetuning of language models in JAX."""

import pathlib

import setuptools

setuptools.setup(
  name="flan_jax",
  version="0.1.0",
  description="Instruction finetuning in JAX, from raw datasets to the scaling plots.",
  long_description=(pathlib.Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  python_requires=">=3.11",
  # gin_configs/ stands at the top level for its readers; a wheel carries it inside the package.
  packages=[*setuptools.find_packages(include=["flan_jax", "flan_jax.*"]), "flan_jax.gin_configs"],
  package_dir={"flan_jax.gin_configs": "gin_configs"},
  package_data={
    "flan_jax": [
      "collections/**/*",
      "evaluation/**/*.yaml",
      "evaluation/**/*.csv",
      "pages/*",
      "sweeps/**/*.csv",
      "sweeps/**/*.yaml",
      "training/*.yaml",
    ],
    "flan_jax.gin_configs": ["**/*.gin", "**/*.yaml"],
  },
  install_requires=[
    "click",
    "flax",
    "gin-config",
    "jax",
    "jaxtyping",
    "jinja2",
    "matplotlib",
    "numpy",
    "optax",
    "orbax-checkpoint",
    "pyarrow",
    "pyyaml",
    "rich",
    "safetensors",
    "sentencepiece",
    "seqio",
    "tensorboardX",
    "tensorflow-datasets",
    "xxhash",
  ],
  extras_require={
    "beam": ["apache-beam"],  # an environment of its own: scripts/beam_environment.sh
    "cuda": ["jax[cuda12]"],
    "eval": ["rouge-score", "sacrebleu"],  # the metrics of Super-NI's texts and of translations
    "lm-eval": ["lm_eval", "tqdm"],  # flan_jax as a model of EleutherAI's harness
    "huggingface": ["datasets"],  # the reader `huggingface`, of datasets that are on disk
    "slurm": ["submitit"],  # the launcher of that name
    "tpu": ["jax[tpu]"],
    "wandb": ["wandb"],  # the writer `wandb`
    "test": [
      "beartype",
      "datasets",
      "hypothesis",
      "pytest",
      "pytest-xdist",
      "rouge-score",
      "ruff",
      "sacrebleu",
      "submitit",
    ],
  },
  entry_points={"console_scripts": ["flan-jax = flan_jax.cli.main:main"]},
)
