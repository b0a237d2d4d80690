"""What we demand, and the decision."""
