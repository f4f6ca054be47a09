"""The process that builds one program: ``python child.py FOLDER``.

Brian2 loads matplotlib's pyplot and pytest where it finds them, which takes longer than its own work here; this process does
without both. It is run by its path, since with ``-m`` the package would have loaded Brian2 before.
"""

from __future__ import annotations

import sys
from pathlib import Path

UNUSED = ("pylab", "matplotlib", "pytest")

if __name__ == "__main__":
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: an import fails at once
    from ei_brian.sim.standalone.project import build_project

    build_project(Path(sys.argv[1]).resolve())
