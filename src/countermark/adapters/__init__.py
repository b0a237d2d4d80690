"""The outside world: HTTP, registries, disk, key hardware."""
