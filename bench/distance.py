"""A registry that is far away: ``distance.py PORT SECONDS`` carries bytes to a port of this machine, later each way.

Prints the port that it listens on. A process of its own, so that it takes no time of whoever measures.
"""

import asyncio
import subprocess
import sys
from typing import Self


class Distance:
    """The relay, started; a context."""

    def __init__(self, port: int, seconds: float) -> None:
        """Put so many seconds between this machine and one of its ports, each way."""
        words = [sys.executable, "-I", __file__, str(port), str(seconds)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Write what was read, each piece so long after it came and in its order; then the end."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        piece = b"begun"
        while piece:
            due, piece = await under_way.get()
            await asyncio.sleep(due - loop.time())
            writer.write(piece)
        writer.close()

    arriving = asyncio.create_task(arrive())
    try:
        while piece := await reader.read(65_536):
            under_way.put_nowait((loop.time() + seconds, piece))
    except OSError:
        pass  # its peer has had enough
    under_way.put_nowait((loop.time() + seconds, b""))
    await arriving


async def _relay(port: int, seconds: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * seconds)  # TCP's handshake, which loopback has done at once
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_carry(reader, back, seconds), _carry(there, writer, seconds))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_relay(int(sys.argv[1]), float(sys.argv[2])))
