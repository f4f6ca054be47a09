#!/usr/bin/env bash
# Makes an environment for Python 3.12 and runs the checks: run.sh [--wheels FOLDER] [FILE]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
from=()
if [ "${1:-}" = "--wheels" ]; then from=(--no-index --find-links "$(realpath "$2")"); shift 2; fi
python=""
for candidate in python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python3.12; do
  if "$candidate" -c 'import venv' > /dev/null 2>&1; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "python3.12 is needed and not on PATH" >&2; exit 2; }
command -v nvidia-smi > /dev/null || { echo "no NVIDIA driver on this machine (nvidia-smi is not on PATH)" >&2; exit 2; }
environment=${EI_BRIAN_GPU_ENVIRONMENT:-$(mktemp -d)/venv}
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
"$environment/bin/pip" install --quiet "${from[@]}" -r <(grep -v '^torch$' "$root/validation/gpu/requirements.txt")
"$environment/bin/pip" install --quiet "${from[@]}" torch || echo "torch could not be installed: the dense loop is left out" >&2
cd "$root"
PYTHONPATH="$root" exec "$environment/bin/python" -m validation.gpu "$@"
