"""Run as ``python -m countermark``."""

from countermark.cli.start import entry

entry()
