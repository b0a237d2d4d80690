"""Docker Content Trust (Notary v1)."""
