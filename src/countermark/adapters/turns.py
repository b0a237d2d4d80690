"""A lock whose waiters get it in the order in which they came: under load nobody starves while others go twice."""

import threading
from collections import deque


class Turns:
    """Like ``threading.Lock``, which lets whoever runs at the moment go first, again and again."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float) -> bool:
        """Wait for our turn, so many seconds at most; say whether it came."""
        with self._mutex:
            if not self._is_held:
                self._is_held = True
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        if gate.acquire(timeout=timeout):
            return True
        with self._mutex:
            if gate not in self._waiting:
                return True  # it came at the last moment
            self._waiting.remove(gate)
            return False

    def release(self) -> None:
        """Let the next one go."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False
