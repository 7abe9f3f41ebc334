"""The stand-in for the framework: its health check, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
from engines import PrivateEngine
from projects import fetch, shared
from sites import ROOT, free_port
from switches import eventually


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()


def test_the_health_check_asks_past_the_proxy_that_docker_hands_to_containers(engine: PrivateEngine, tiny: str) -> None:
    instruction = re.search(r"^HEALTHCHECK (?:.*\\\n)+.*\n", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE)
    assert instruction
    engine.docker("build", "--quiet", "--tag", "tests/check:1", "-", input=f"FROM {tiny}\n{instruction[0]}")
    found = engine.request("GET", "/images/tests/check:1/json")["Config"]["Healthcheck"]["Test"]
    engine.docker("rmi", "tests/check:1")
    assert found[:3] == ["CMD", "python", "-c"], json.dumps(found)
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
        for port, healthy in ((server.server_port, True), (9, False)):
            words = [sys.executable, *found[2:]]
            done = subprocess.run(words, env={**proxies, "PORT": str(port)}, capture_output=True)
            assert (done.returncode == 0) == healthy, done.stderr
        server.shutdown()


def test_it_finishes_what_it_is_answering_when_it_is_told_to_stop() -> None:
    fetch()
    (wheel,) = (shared().root / "vendor/bottle").glob("*.whl")
    port = free_port()
    words = [sys.executable, str(ROOT / "docker/framework/cauchy_services.py"), "--port", str(port)]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(wheel)}, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"serving on port %d\n" % port
        with connected(port) as asked, connected(port) as idle:
            asked.sendall(b"GET /healthz HTTP/1.0\r\n")
            eventually(lambda: len(psutil.Process(process.pid).net_connections("tcp")) >= 3)  # both are taken
            process.send_signal(signal.SIGTERM)
            while not is_closed(port):
                time.sleep(0.02)
            assert process.poll() is None
            asked.sendall(b"\r\n")
            assert b'{"status": "ok"}' in b"".join(iter(lambda: asked.recv(65536), b""))
            idle.close()
        assert process.wait(60) == 0
        assert process.stdout.read() == b"stopped\n"


def connected(port: int) -> socket.socket:
    """A connection to a port of this host."""
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def is_closed(port: int) -> bool:
    """Whether nothing listens on a port of this host any more."""
    with suppress(ConnectionRefusedError), connected(port):
        return False
    return True
