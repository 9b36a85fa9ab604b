"""What the user's data folder holds of the collections that are published as many files: a module a collection.

Each module yields entries as tasks.yaml has them, and a Problem for a file that it cannot use. Listing comes first at
every start, so a module looks at names and heads of files, never at records; `flan_jax.data.discovery` names them all.
"""
