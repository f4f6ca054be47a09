"""Makes the pictures of the README and of the documentation from the trained digits network.

    python docs/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

from ei_brian.config.shipped import shipped_file
from ei_brian.report.model_check import check_model
from ei_brian.report.settings import Settings
from ei_brian.storage import load_spec
from ei_brian.storage.atomic_file import write_bytes

IMAGES = Path(__file__).resolve().parent / "images"
SHOWN = ("raster", "noise", "ladder", "traces")


def main() -> None:
    """Validate the network and keep the figures in both themes."""
    settings = Settings(threads=2, mix={"FS": 0.6, "LTS": 0.4})
    report, _ = check_model(load_spec(shipped_file("digits_ei80.h5")), None, settings, 0, print)
    for picture in report.pictures:
        if picture.name in SHOWN:
            write_bytes(IMAGES / f"{picture.name}_light.png", picture.light)
            write_bytes(IMAGES / f"{picture.name}_dark.png", picture.dark)


if __name__ == "__main__":
    main()
