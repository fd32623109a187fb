"""A TCP proxy on loopback that loses the answer: the server did the work, and the client never hears of it."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading


class BrokenWire:
    """Passes bytes on to `port`. After `lose(marker)`, the first connection that carries `marker` to the server is
    reset once the server has answered; `lost` counts how often that happened. `close` breaks every connection."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self._marker: bytes | None = None
        self._instead: tuple[bytes, bytes] = (b"", b"")
        self._clients: list[socket.socket] = []
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, marker: bytes) -> None:
        self._marker = marker

    def replace(self, what: bytes, by: bytes) -> None:
        """In what the client says, from now on; of the same length."""
        assert len(what) == len(by)
        self._instead = (what, by)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._listener.close()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        doomed = False
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.upstream)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [], 60)
                if client in ready:
                    data = client.recv(65536)
                    if not data:
                        return
                    if self._marker is not None and self._marker in data:
                        self._marker, doomed = None, True
                    server.sendall(data.replace(*self._instead) if self._instead[0] else data)
                if server in ready:
                    data = server.recv(65536)
                    if not data:
                        return
                    if doomed:
                        self.lost += 1
                        # reset, not closed: no half of an answer either
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    client.sendall(data)
