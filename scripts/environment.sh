# Makes .venv with the pinned dependencies, once per content of setup.py and constraints.txt; to be sourced.
# FLAN_JAX_EXTRAS=cuda (or tpu) before it adds an accelerator's packages; $1 names further extras.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extras="${1:-}${FLAN_JAX_EXTRAS:+,$FLAN_JAX_EXTRAS}"
extras="${extras#,}"
installed=".venv/installed-$(cat setup.py constraints.txt scripts/environment.sh | sha256sum | cut -c1-16)"
stamp="$installed-${extras:-none}"
if [ ! -e "$stamp" ]; then
  python="${PYTHON:-$(command -v python3.11 || command -v python3)}"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || { echo "flan_jax needs Python 3.11 or newer; $python is $("$python" --version). Set PYTHON=/path/to/python3.11" >&2; exit 1; }
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  echo "Installing flan_jax${extras:+[$extras]} and its pinned dependencies into .venv (a few minutes, once) ..."
  .venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".${extras:+[$extras]}"
  touch "$stamp" "$installed-none"
fi
source .venv/bin/activate
