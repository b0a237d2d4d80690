"""Bytes to values and back, one file per wire format."""
