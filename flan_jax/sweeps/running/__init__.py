"""How runs come to their end: a run's commands in a process of its own, how far each is, launchers, the live table."""
