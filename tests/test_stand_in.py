"""The stand-in for the framework: its health check."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from engines import PrivateEngine
from sites import ROOT


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
