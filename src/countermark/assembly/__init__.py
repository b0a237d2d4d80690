"""Builds every object from a config; the only package that names adapters."""
