"""The demo collection's examples, made in plain Python: `generate(rng, **params) -> fields` in each module.

A module here imports the standard library and its neighbours only, and draws from the `random.Random` it is given, so
that example i of a task is the same on every machine. Wordings live in types.yaml; what a step is called lives here.
"""
