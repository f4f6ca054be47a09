"""The text of the study, written from what was measured: ``RESULTS.md``, figures and tables."""

from __future__ import annotations

import datetime
import os
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import ei_brian
from paper import comparison, why
from paper.comparison import Section
from paper.figures import draw_all
from paper.networks import Network, write_tables
from paper.protocol import FASHION, FASHION_NOISE
from paper.verdicts import METHOD

WHOLE = {"no noise": 608, "noise": 1344}


def write(
    networks: Sequence[Network], folder: Path, command: str, compared_too: Sequence[Section] = (), shown_too: Sequence[Section] = (),
    figures_too: Sequence[tuple[str, str]] = (),
) -> Path:  # fmt: skip
    """Write text, figures and tables of all networks that are done; return the text's file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(list(networks), folder)
    figures = [*draw_all(networks, folder), *figures_too]
    compared = [*comparison.sections(networks), *compared_too]
    reasons = [*why.sections(networks), *shown_too]
    lines = [
        "# Kilgore et al. 2025 by its own protocol", "",
        "Kilgore, Kopsick, Ascoli & Adam 2025, *Scientific Reports* 15:24798, doi 10.1038/s41598-025-03408-7, with every setting of the authors' published code, on all of Fashion-MNIST. Published and measured values stand side by side.", "",
        *(f"- {line}" for line in _facts(networks, command)), "",
        "## Verdicts", "", METHOD, "", *_table((("figure", "verdicts"), *((s.heading, s.verdict) for s in compared))), "",
    ]  # fmt: skip
    for section in (*compared, *reasons):
        lines += _section(section)
    lines += ["## Figures", ""]
    for file, caption in figures:
        lines += [f"![{caption}]({file})", "", caption, ""]
    path = folder / "RESULTS.md"
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path


def _facts(networks: Sequence[Network], command: str) -> list[str]:
    counts = Counter(n.part for n in networks)
    seconds = sum(n.row["processor_s"] for n in networks)
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "torch", "matplotlib"))
    loops = Counter(str(n.row.get("loop", "")) for n in networks)
    return [
        f"command: `python validation/kilgore2025/run.py {command}`; written {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"ei_brian {ei_brian.__version__}, {packages}; Python {platform.python_version()}; {_processor()}, {os.cpu_count()} cores",
        f"networks: {counts['no noise']} of {WHOLE['no noise']} without noise on the updates, {counts['noise']} of {WHOLE['noise']} with; {counts['why']} of 4 epochs for the question why; {seconds:.0f} s of processor time in all",
        *(f"{n} of them were trained by {loop}" for loop, n in loops.items() if loop),
        *_missing(networks),
    ]  # fmt: skip


def _missing(networks: Sequence[Network]) -> list[str]:
    stds = sorted({n.std for n in networks if n.part == "no noise"})
    levels = sorted({n.noise for n in networks if n.part == "noise"})
    ratios = sorted({n.ratio for n in networks if n.part == "noise"})
    left = [f"{std:g}" for std in FASHION.w1_stds if std not in stds]
    quiet = [f"{level:g}" for level in FASHION_NOISE.noise_stds if level not in levels]
    gone = [f"{ratio}:{100 - ratio}" for ratio in FASHION_NOISE.ratios if ratio not in ratios]
    said = []
    if left:
        said.append(f"not run without noise: w1 std {', '.join(left)}")
    if quiet or gone:
        said.append(f"not run with noise: levels {', '.join(quiet) or 'none'}; ratios {', '.join(gone) or 'none'}")
    return [*said, "not run: Figure 1d and 5d-f (SHD, which is not at hand; `--shd FOLDER` runs them)"]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _section(section: Section) -> list[str]:
    return [f"## {section.heading}", "", *(line for words in section.words for line in (words, "")), *_table(section.table), "", f"**{section.verdict}**", ""]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = rows
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *("| " + " | ".join(row) + " |" for row in body)]
