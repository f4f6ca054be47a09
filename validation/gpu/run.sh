#!/usr/bin/env bash
# Runs the checks: run.sh [--python PYTHON] [--wheels FOLDER] [--quick] [FILE]
#
# Makes an environment for Python 3.12 and installs into it from PyPI, or from a folder of wheels. With --python, that Python is used with
# all that it has (torch, numpy, …), and the wheels of the folder are put in front of it; it is left as it was.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
wheels="" python=""
while [ $# -gt 0 ]; do
  case "$1" in
    --wheels) wheels=$(realpath "$2"); shift 2 ;;
    --python) python=$2; shift 2 ;;
    *) break ;;
  esac
done
command -v nvidia-smi > /dev/null || { echo "no NVIDIA driver on this machine (nvidia-smi is not on PATH)" >&2; exit 2; }

if [ -n "$python" ]; then
  extra=$(mktemp -d)
  trap 'rm -rf "$extra"' EXIT
  if [ -n "$wheels" ]; then "$python" -m pip install --quiet --no-index --no-deps --target "$extra" "$wheels"/*.whl; fi
  cd "$root"
  PYTHONPATH="$root:$extra" "$python" -m validation.gpu "$@"
  exit
fi

for candidate in python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python3.12; do
  if "$candidate" -c 'import venv' > /dev/null 2>&1; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "python3.12 is needed and not on PATH" >&2; exit 2; }
from=()
[ -z "$wheels" ] || from=(--no-index --find-links "$wheels")
environment=${EI_BRIAN_GPU_ENVIRONMENT:-$(mktemp -d)/venv}
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
"$environment/bin/pip" install --quiet "${from[@]}" -r <(grep -v '^torch$' "$root/validation/gpu/requirements.txt")
"$environment/bin/pip" install --quiet "${from[@]}" torch || echo "torch could not be installed: the dense loop is left out" >&2
cd "$root"
PYTHONPATH="$root" exec "$environment/bin/python" -m validation.gpu "$@"
