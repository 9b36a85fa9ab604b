"""The embedded collection: small generated tasks on which the whole main job runs on a laptop, offline.

Tasks, types and mixtures are YAML like any collection's; `generators` makes the examples in plain Python.
"""
