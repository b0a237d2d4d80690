"""Take an image elsewhere with all that vouches for it."""
