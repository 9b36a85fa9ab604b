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
# Two to four workers, as there are cores; each grows to 2 to 4 GB.
workers=$(python -c 'from flan_jax import machine; print(min(4, max(2, len(machine.cores()))))')
# worksteal: a worker takes neighbours, which share fixtures and compiled networks, until others have nothing left.
exec python -m pytest -n "${PYTEST_WORKERS:-$workers}" --dist worksteal ${select[@]+"${select[@]}"} "$@"
