"""`makemigrations` compares models with files, and asks no server."""

import os
import socket
import subprocess
import sys

from tests.support.processes import ROOT


def test_no_server_is_asked_and_nothing_is_said_of_them():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        silent.setblocking(False)
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}
        asked = subprocess.run(
            [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
            cwd=ROOT,
            env=inherited
            | {
                "SHOP_DEBUG": "true",
                "SHOP_POSTGRES_URL": f"postgres://postgres@{server}",
                "SHOP_BROKER_URL": f"amqp://{server}//",
                "SHOP_REDIS_URL": f"redis://{server}/0",
            },
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert (asked.returncode, asked.stdout, asked.stderr) == (0, "No changes detected\n", "")
        try:
            silent.accept()
        except BlockingIOError:
            return
    raise AssertionError("a server was asked")
