"""Where an untrusted image is stopped."""
