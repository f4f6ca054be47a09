"""Model files and recordings on disk."""

from __future__ import annotations

from ei_brian.storage.recording_file import load_recording, save_recording
from ei_brian.storage.spec_file import load_spec, save_spec

__all__ = ["load_recording", "load_spec", "save_recording", "save_spec"]
