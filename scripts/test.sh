#!/usr/bin/env bash
# Runs the tests (under ten minutes on 2 cores), setting up .venv first if needed. --all adds the slow ones.
# Anything else goes to pytest: bash scripts/test.sh -k packing
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" test

select=(-m "not slow")
if [ "${1:-}" = "--all" ]; then
  select=()
  shift
fi
# The many processes that tests start read our modules compiled instead of compiling them again, a fifth of their time.
unset PYTHONDONTWRITEBYTECODE
# One worker more than cores, since many tests wait for what they start, but at most four and what memory holds: each
# grows to 2 to 4 GB.
workers=$(python -c '
import os
from flan_jax import machine
memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
print(max(2, min(4, len(machine.cores()) + 1, int(memory_gb / 5))))')
# worksteal: a worker takes neighbours, which share fixtures and compiled networks, until others have nothing left.
exec python -m pytest -n "${PYTEST_WORKERS:-$workers}" --dist worksteal ${select[@]+"${select[@]}"} "$@"
