"""Settings in TOML files, as frozen dataclasses."""
