"""An indented list, as ``cosign bundle inspect`` prints one."""

from countermark.core.text import harmless


class Node:
    """A line and what stands below it."""

    def __init__(self, label: str = "", value: str = "") -> None:
        self.label, self.value, self.below = label, value, list[Node]()

    def add(self, label: str, value: str = "") -> "Node":
        """Put a line below."""
        self.below.append(Node(label, value))
        return self.below[-1]

    def lines(self, depth: int = 0) -> "list[str]":
        """Write all of it, indented."""
        found = []
        if self.label:
            tail = f" {harmless(self.value)}" if self.value else ""
            found.append(f"{'  ' * depth}- {harmless(self.label)}:{tail}")
            depth += 1
        return found + [line for each in self.below for line in each.lines(depth)]
