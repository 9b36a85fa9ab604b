# Makes .venv-beam, where `flan-jax prepare --runner` works and little else does (no JAX, no TensorFlow); to be sourced.
# A worker of Dataflow, Spark or Flink needs the same: pip install -r constraints-beam.txt; pip install --no-deps .
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stamp=".venv-beam/installed-$(cat setup.py constraints-beam.txt scripts/beam_environment.sh | sha256sum | cut -c1-16)"
if [ ! -e "$stamp" ]; then
  python="${PYTHON:-$(command -v python3.11 || command -v python3)}"
  [ -x .venv-beam/bin/python ] || "$python" -m venv .venv-beam
  echo "Installing Apache Beam and what preparation needs into .venv-beam (a minute, once) ..."
  .venv-beam/bin/python -m pip install -qq --disable-pip-version-check -r constraints-beam.txt
  .venv-beam/bin/python -m pip install -qq --disable-pip-version-check --no-deps -e .
  touch "$stamp"
fi
source .venv-beam/bin/activate
