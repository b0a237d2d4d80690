"""A small OCI registry on a folder, for demos, tests and air gaps."""
