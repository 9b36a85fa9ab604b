"""The command `flan-jax`: one thin file a command, which parses, calls a room and prints.

What may enter: options, messages, printing. A command imports what it needs when it runs, so `--help` is quick."""
