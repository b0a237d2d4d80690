"""Countermark: who vouches for a container image, before it runs."""

__all__: list[str] = []
