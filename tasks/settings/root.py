"""Where this project stands, and where settings come from. Alone: listing the tasks needs no more of the settings."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "the environment"  # in the place of a file's path
