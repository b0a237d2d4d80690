"""The flags of cosign 3.1.3, a module for each kind of command; only one of them is loaded at a start."""
