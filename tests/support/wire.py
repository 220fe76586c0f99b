"""A connection to Redis that a test can cut."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Wire:
    """A proxy to Redis that can be cut, or that swallows what is sent."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._up = True
        self._swallows = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return urlsplit(self._redis_url)._replace(netloc=f"127.0.0.1:{self._listener.getsockname()[1]}").geturl()

    def cut(self) -> None:
        self._up = False
        for pair in self._pairs:
            self._close(pair)

    def hang(self) -> None:
        self._swallows = True

    def mend(self) -> None:
        self._up, self._swallows = True, False

    def close(self) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._up:
                    near.close()
                    continue
                redis = urlsplit(self._redis_url)
                far = socket.create_connection((redis.hostname or "127.0.0.1", redis.port or 6379))
                self._pairs.append((near, far))
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while said := source.recv(65536):
                if not self._swallows:
                    target.sendall(said)
        self._close((source, target))

    @staticmethod
    def _close(pair: tuple[socket.socket, socket.socket]) -> None:
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
