"""How each ecosystem says who vouches for an image."""
