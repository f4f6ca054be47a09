"""`import ei_brian` is light, and its public names are what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ei_brian

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "brian2", "scipy", "matplotlib", "sklearn", "h5py", "typer")


def printed(code: str) -> str:
    """Return what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_loads_no_heavy_library() -> None:
    code = f"import sys, ei_brian; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    assert printed(code) == ""


def test_simulating_needs_no_torch() -> None:
    code = "import sys, ei_brian; ei_brian.NetworkSpec, ei_brian.Backend; print('torch' in sys.modules)"
    assert printed(code) == "False"


def test_training_needs_no_brian2() -> None:
    code = "import sys, ei_brian as e; e.EINetwork, e.train, e.export, e.load_dataset; print('brian2' in sys.modules)"
    assert printed(code) == "False"


@pytest.mark.parametrize("name", ei_brian.__all__)
def test_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(ei_brian, name).__doc__


def test_public_names_are_sorted() -> None:
    assert ei_brian.__all__ == sorted(ei_brian.__all__)


def test_unknown_name_names_the_public_ones() -> None:
    with pytest.raises(AttributeError, match="NetworkSpec"):
        ei_brian.nothing  # noqa: B018


INSTALL = r"pip install '(torch>=2.4'|\.\[train\]' in the folder of ei_brian)"  # installed, or a folder on the path
WITHOUT_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
"""


def without_torch(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where torch cannot be imported."""
    code = f"{WITHOUT_TORCH}\nsys.argv = ['ei-brian', *{words!r}]\nfrom ei_brian.cli.main import main\nmain()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_what_needs_torch_says_how_to_install_it() -> None:
    tried = "import ei_brian\ntry:\n    ei_brian.train\nexcept ei_brian.errors.ConfigError as error:\n    print(error)"
    code = WITHOUT_TORCH + tried
    assert re.fullmatch(f"train needs torch, which is not installed: {INSTALL}", printed(code))


def test_a_verb_that_needs_torch_is_a_mistake_of_the_user() -> None:
    done = without_torch("train", "models/digits_ei80.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(f"needs torch, which is not installed: {INSTALL}", done.stderr)


@pytest.mark.slow
def test_a_saved_network_is_validated_without_torch(tmp_path: Path) -> None:
    """Then the reference stepper is the oracle, and the report says so."""
    words = ["validate", "models/digits_ei80.h5", "--trials", "2", "--backend", "numpy", "--draws", "1", "--seeds", "1"]
    words += ["--no-controls", "--json", "-o", str(tmp_path / "report")]
    facts = json.loads(without_torch(*words).stdout)
    assert (facts["equal"], facts["compared_with"]) == (True, "the reference stepper")
