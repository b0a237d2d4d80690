"""The words everything else speaks."""
