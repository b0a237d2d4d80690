"""Shows people that long work goes on: a bar on a terminal, nothing in a pipe."""

import threading
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from rich.progress import Progress as RichProgress

SOON_SECONDS = 0.5  # what ends before that is not worth a bar, nor loading what draws it


class NoProgress:
    """Shows nothing: Progress for pipes, logs and tests."""

    def begin(self, text: str, total: int) -> None:
        """Begin; nothing is shown."""

    def advance(self, count: int) -> None:
        """So many bytes more; nothing is shown."""

    def finish(self) -> None:
        """End; nothing is shown."""


class TerminalProgress:
    """Draws a bar on a terminal, from half a second on, and takes it away at the end: Progress."""

    def __init__(
        self,
        *,
        wait_seconds: float = SOON_SECONDS,
        colour: bool = True,
        file: "IO[str] | None" = None,
    ) -> None:
        """Take when to begin drawing, and the terminal, None for standard error."""
        self._wait, self._colour, self._file = wait_seconds, colour, file
        self._lock = threading.Lock()
        self._text, self._total, self._done = "", 0, 0
        self._begun = 0.0
        self._bar: RichProgress | None = None

    def begin(self, text: str, total: int) -> None:
        """Begin: what is being done, and how many bytes it takes, 0 where nobody knows."""
        with self._lock:
            self._text, self._total, self._done = text, total, 0
            self._begun = monotonic()

    def advance(self, count: int) -> None:
        """So many bytes more; any thread may say so."""
        with self._lock:
            self._done += count
            if self._bar is None and monotonic() - self._begun >= self._wait:
                self._bar = self._drawn()
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=self._done)

    def finish(self) -> None:
        """End, whether or not all was done."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _drawn(self) -> "RichProgress":
        from rich import progress  # noqa: PLC0415 - costs 100 ms, and only long work is shown
        from rich.console import Console  # noqa: PLC0415 - as above

        bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),  # names are foreign text
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(
                file=self._file,
                stderr=self._file is None,
                force_terminal=True,  # nobody makes one of these for anything else
                no_color=not self._colour,
            ),
            transient=True,
        )
        bar.add_task(self._text, total=self._total or None)
        bar.start()
        return bar
