"""Run as ``python -m countermark``."""

from countermark.cli.main import entry

entry()
