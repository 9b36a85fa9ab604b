"""What is learned: one folder a collection, with tasks, task types and mixtures as YAML.

What may enter: data files, and generators of embedded tasks (`<collection>/generators/*.py`, standard library only).
This package imports nothing of flan_jax; `flan_jax.data.specs` reads it.
"""
