"""`python -m flan_jax` is the command `flan-jax`."""

from flan_jax.cli.main import main

if __name__ == "__main__":
  main()
