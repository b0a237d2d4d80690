"""Cosign, with keys or keyless."""
