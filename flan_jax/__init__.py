"""flan_jax: instruction finetuning of language models in JAX, from raw datasets to the scaling plots.

Importing the package imports nothing else; each room (see docs/design.md) is imported where it is used.
"""

__version__ = "0.1.0"
