"""What the tests start ends with them."""

import re
import socket
import subprocess
import sys

from conftest import GUARD

TESTS = """
import subprocess, sys
server = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
guarded = [sys.executable, "-c", sys.argv[1], *server]
process = subprocess.Popen(guarded, stdin=subprocess.PIPE, start_new_session=True)
process.wait()
"""


def is_up(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_ends_with_tests_that_are_killed():
    command = [sys.executable, "-c", TESTS, GUARD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tests:
        port = int(re.search(r"port (\d+)", tests.stdout.readline())[1])
        assert is_up(port)
        tests.kill()
        while is_up(port):  # or the test's own limit ends it
            pass
