"""The demo collection's examples and the stories of the same abilities that its base model reads, in plain Python.

Each module of tasks has `generate(rng, **params) -> fields`, an example, and `narrate(rng) -> str`, a sentence or two.
A module here imports the standard library and its neighbours only, and draws from the `random.Random` it is given, so
that example i of a task is the same on every machine. The wordings of prompts live in types.yaml; how a task is asked
for in an infinitive phrase, or as a question about its text, lives here.
"""
