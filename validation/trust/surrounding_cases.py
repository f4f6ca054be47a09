"""Places and states of a machine, a process or a script in which the same call must give the same bits, or one clear error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SURROUNDINGS", "Surrounding"]

SAME = "same"
NUMPY, BOTH = ("numpy",), ("numpy", "cpp_standalone")


@dataclass(frozen=True, slots=True)
class Surrounding:
    """One of them.

    Parameters
    ----------
    name : str
        In words.
    before, call : str
        Python that runs before the package is imported; and the call, whose words are printed. ``{root}`` is a scratch folder.
    env : mapping of str to str or None
        Variables that are set, or taken away.
    shell : str
        What a shell does before it starts Python.
    options : tuple of str
        Of Python.
    expected : str
        ``"same"``, or what the one clear error must say.
    backends : tuple of str
        Which run.
    quick : bool
        Whether the fast tests try it too.
    needs : str
        A variable without which it is not tried.
    """

    name: str
    before: str = ""
    call: str = "print(call())"
    env: Mapping[str, str | None] = field(default_factory=dict)
    shell: str = ""
    options: tuple[str, ...] = ()
    expected: str = SAME
    backends: tuple[str, ...] = NUMPY
    quick: bool = False
    needs: str = ""


THREADS = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    found = set(pool.map(lambda _: call(), range(4)))
assert len(found) == 1, found
print(*found)"""
MIXED = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    found = list(pool.map(call, ["float64", "float32"] * 3))
assert len(set(found[::2])) == len(set(found[1::2])) == 1, found
print(found[0])"""
POOL = """
import multiprocessing as mp
with mp.get_context("{method}").Pool(2) as pool:
    found = set(pool.map(call, ["float64"] * 3))
assert len(found) == 1, found
print(*found)"""
FORK_BESIDE = """
import os, threading
call()  # all is imported: Python itself cannot fork within an import
running = threading.Thread(target=lambda: [call("float32") for _ in range(3)])
running.start()
child = os.fork()
if child == 0:
    print(call(), flush=True)
    os._exit(0)
running.join()
assert os.waitpid(child, 0)[1] == 0"""
ANOTHER_PYTHON = """
import os, subprocess
first = call()
code = open(os.environ["CALL_FILE"]).read() + "\\nimport sys; print(call(), sys.version_info[:2])"
other = subprocess.run([os.environ["EI_BRIAN_OTHER_PYTHON"], "-c", code], capture_output=True, text=True)
found, version = other.stdout.strip().split(maxsplit=1)
import sys
assert found == first == call() and version != str(sys.version_info[:2]), (other.stdout, other.stderr[-300:])
print(first)"""
NESTED = """
import brian2
found = []
group = brian2.NeuronGroup(1, "v : 1")
@brian2.network_operation(dt=1 * brian2.ms)
def ask():
    found.append(call())
brian2.Network(group, ask).run(2 * brian2.ms)
assert len(set(found)) == 1 and brian2.prefs.codegen.loop_invariant_optimisations
print(found[0])"""
NOTEBOOK = """
import os
from nbclient import NotebookClient
from nbformat import v4
code = open(os.environ["CALL_FILE"]).read()
cells = [v4.new_code_cell(code), v4.new_code_cell("print(call())"), v4.new_code_cell(code), v4.new_code_cell("print(call())")]
book = v4.new_notebook(cells=cells)
for _ in range(2):
    NotebookClient(book, kernel_name="python3", timeout=300).execute()
    found = {"".join(o.get("text", "") for o in c.outputs if o.get("name") == "stdout").strip() for c in book.cells} - {""}
    assert len(found) == 1, found
print(*found)"""
INTERRUPTED = """
import brian2
whole = brian2.Network.run
def stopped(self, *a, **k):
    raise KeyboardInterrupt
brian2.Network.run = stopped
try:
    call()
except KeyboardInterrupt:
    pass
brian2.Network.run = whole
print(call())"""
ASYNC = """
import asyncio
async def main():
    found = set(await asyncio.gather(*(asyncio.to_thread(call) for _ in range(3)))) | {call()}
    assert len(found) == 1, found
    return found
print(*asyncio.run(main()))"""
ROUNDING = 'import ctypes, ctypes.util; ctypes.CDLL(ctypes.util.find_library("m")).fesetround(0x800)'
STICKY = 'mkdir -p {root}/open/cache; chmod 777 {root}/open'


def _preferences(text: str, where: str = ".") -> str:
    return f"mkdir -p {where}; printf '{text}\\n' > {where}/{'brian_preferences' if where == '.' else 'user_preferences'}"


SURROUNDINGS = (
    Surrounding("nothing special", backends=("reference", *BOTH), quick=True),
    # where it runs
    Surrounding("another working folder", shell="mkdir -p {root}/a; cd {root}/a", backends=BOTH),
    Surrounding("a working folder that is gone", shell="mkdir -p {root}/gone; cd {root}/gone; rmdir {root}/gone",
                backends=BOTH),
    Surrounding("a working folder that cannot be written", shell="mkdir -p {root}/ro; chmod 555 {root}/ro; cd {root}/ro"),
    Surrounding("a working folder with blanks and signs", shell="mkdir -p '{root}/a # % b🧠'; cd '{root}/a # % b🧠'",
                backends=BOTH),
    Surrounding("a working folder whose name is no text", shell="d=$(printf '{root}/\\377\\376'); mkdir -p $d; cd $d",
                backends=BOTH),
    Surrounding("modules of the same names there", shell="mkdir -p {root}/m; cd {root}/m; touch random.py ei_plan.h",
                backends=BOTH),
    Surrounding("a read-only disk as home", env={"HOME": "/proc"}),
    Surrounding("no home", env={"HOME": None}, backends=BOTH),
    Surrounding("a home that is not there", env={"HOME": "/nonexistent"}),
    Surrounding("a home that is a file", env={"HOME": "/etc/passwd"}),
    Surrounding("temporary files in a folder with signs", shell="mkdir -p '{root}/t # é🧠'", env={"TMPDIR": "{root}/t # é🧠"},
                backends=BOTH),
    Surrounding("a folder for temporary files that is not there", env={"TMPDIR": "/nonexistent"}, backends=BOTH),
    # language
    Surrounding("the locale C without UTF-8", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, quick=True,
                backends=BOTH),
    Surrounding("output in Latin-1", env={"PYTHONIOENCODING": "latin-1"}),
    Surrounding("a locale that is not there", env={"LC_ALL": "xx_YY.UTF-8", "LANG": "xx_YY"}),
    Surrounding("another time zone", env={"TZ": "Pacific/Kiritimati"}),
    # rights
    Surrounding("umask 000", shell="umask 000", backends=BOTH),
    Surrounding("umask 077", shell="umask 077", backends=BOTH),
    Surrounding("umask 000, a new cache", shell="umask 000", env={"EI_BRIAN_CACHE": "{root}/umask"}, backends=BOTH),
    Surrounding("another user than root", shell="as nobody", env={"EI_BRIAN_CACHE": None, "HOME": "{root}/nobody"},
                backends=BOTH),
    Surrounding("another user on the cache of root", shell="as nobody", backends=BOTH,
                env={"EI_BRIAN_CACHE": "{root}/roots", "HOME": "{root}/nobody", "TMPDIR": "{root}/nobody"}),
    Surrounding("a cache below a folder that all can change", shell=STICKY,
                env={"EI_BRIAN_CACHE": "{root}/open/cache", "TMPDIR": "{root}"}, backends=BOTH),
    Surrounding("a cache that is a file", shell="touch {root}/file",
                env={"EI_BRIAN_CACHE": "{root}/file", "TMPDIR": "{root}"}, backends=BOTH),
    Surrounding("a cache with blanks and signs", env={"EI_BRIAN_CACHE": "{root}/c # % é🧠"}, backends=BOTH),
    Surrounding("a cache whose name is no text", shell="export EI_BRIAN_CACHE=$(printf '{root}/c\\377\\376')",
                backends=BOTH),
    Surrounding("a cache by a relative path", shell="mkdir -p {root}/rel; cd {root}/rel", env={"EI_BRIAN_CACHE": "here"},
                backends=BOTH),
    Surrounding("64 open files", shell="ulimit -n 64", backends=BOTH),
    Surrounding("no core files, a small stack", shell="ulimit -c 0; ulimit -s 2048", backends=BOTH),
    # Brian2 of the host
    Surrounding("a preference file with OpenMP", shell=_preferences("devices.cpp_standalone.openmp_threads = 4"),
                env={"EI_BRIAN_CACHE": "{root}/openmp"}, backends=BOTH),
    Surrounding("a preference file with float32", shell=_preferences("core.default_float_dtype = float32"), quick=True),
    Surrounding("a preference file with -ffast-math", shell=_preferences('codegen.cpp.extra_compile_args = ["-ffast-math"]'),
                backends=("numpy", "cython")),
    Surrounding("preferences of the user", shell=_preferences("codegen.loop_invariant_optimisations = True", "{root}/h/.brian"),
                env={"HOME": "{root}/h"}),
    Surrounding("a preference file that Brian2 refuses", shell=_preferences("nonsense"), expected="Brian2 cannot be imported"),
    Surrounding("set_device before", 'import brian2; brian2.set_device("cpp_standalone", directory="{root}/mine")', quick=True,
                backends=BOTH),
    Surrounding("set_device, built by hand", 'import brian2; brian2.set_device("cpp_standalone", build_on_run=False)'),
    Surrounding("preferences of the script", "import brian2; brian2.prefs.core.default_float_dtype = brian2.float32"),
    Surrounding("another clock", "import brian2; brian2.defaultclock.dt = 0.37*brian2.ms"),
    Surrounding("a seed of Brian2", "import brian2; brian2.seed(7)"),
    Surrounding("within a run of the host", call=NESTED),
    Surrounding("after a run that was interrupted", call=INTERRUPTED),
    # threads and processes
    Surrounding("imported and called in a thread", call=(
        "import threading\nt = threading.Thread(target=lambda: print(call())); t.start(); t.join()"), quick=True, backends=BOTH),
    Surrounding("four threads", call=THREADS, backends=BOTH),
    Surrounding("threads of both precisions", call=MIXED),
    Surrounding("fork", call=POOL.replace("{method}", "fork"), backends=BOTH),
    Surrounding("spawn", call=POOL.replace("{method}", "spawn"), backends=BOTH),
    Surrounding("forkserver", call=POOL.replace("{method}", "forkserver")),
    Surrounding("fork while another thread runs", call=FORK_BESIDE, backends=BOTH),
    Surrounding("another Python on the same cache, in turn", call=ANOTHER_PYTHON, needs="EI_BRIAN_OTHER_PYTHON",
                backends=("numpy", "cython", "cpp_standalone")),
    Surrounding("asyncio", call=ASYNC, backends=BOTH),
    Surrounding("a notebook kernel, each cell twice, run twice", call=NOTEBOOK),
    Surrounding("at the end of the interpreter", call="import atexit\natexit.register(lambda: print(call()))"),
    Surrounding("Ctrl-C ignored", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)", backends=BOTH),
    Surrounding("signals of children ignored", "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
                backends=BOTH),
    Surrounding("no standard input", shell="exec 0<&-", backends=BOTH),
    Surrounding("no standard error", shell="exec 2>&-", backends=BOTH),
    # settings of the user
    Surrounding("matplotlib with TeX", shell="mkdir -p {root}/mpl; echo 'text.usetex: True' > {root}/mpl/matplotlibrc",
                env={"MPLCONFIGDIR": "{root}/mpl"}),
    Surrounding("a backend of matplotlib that is not there", env={"MPLBACKEND": "nonsense"},
                expected="Brian2 cannot be imported"),
    Surrounding("numpy raises at overflow", 'import numpy; numpy.seterr(all="raise")'),
    Surrounding("warnings are errors", options=("-W", "error::RuntimeWarning")),
    Surrounding("no docstrings and assertions", options=("-OO",)),
    Surrounding("development mode", options=("-X", "dev")),
    Surrounding("another hash seed", env={"PYTHONHASHSEED": "1234"}),
    Surrounding("a global seed of numpy", "import numpy; numpy.random.seed(1)", quick=True),
    Surrounding("torch loaded, its default float64", "import torch; torch.set_default_dtype(torch.float64)"),
    Surrounding("a trace function", "import sys; sys.settrace(lambda *_: None)"),
    Surrounding("no garbage collection", "import gc; gc.disable()"),
    Surrounding("more threads for linear algebra", env={"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7"}),
    # arithmetic
    Surrounding("small numbers set to zero", "import torch; torch.set_flush_denormal(True)",
                expected="set to zero in this thread"),
    Surrounding("another rounding", ROUNDING, expected="does not round to the nearest"),
    # compilers
    Surrounding("CXX empty", env={"CXX": ""}, backends=BOTH),
    Surrounding("CXX a path with blanks", env={"CXX": "{root}/my tools/g++"},
                shell="mkdir -p '{root}/my tools'; ln -sf $(command -v g++) '{root}/my tools/g++'", backends=BOTH),
    Surrounding("CXX with -ffast-math", env={"CXX": "g++ -ffast-math"}, expected="the flag -ffast-math",
                backends=("cpp_standalone",)),
    Surrounding("CFLAGS with -Ofast", env={"CFLAGS": "-Ofast"}, expected="the flag -Ofast", backends=("cython",)),
    Surrounding("no compiler", env={"CXX": "nosuchcompiler"}, expected="was not found on PATH", backends=("cpp_standalone",)),
    Surrounding("no compiler, Brian2 in this process", env={"CXX": "nosuchcompiler"}),
)  # fmt: skip
