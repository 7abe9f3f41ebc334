"""A stand-in for the framework: a small HTTP service. Runs on Python 3.6, as the framework does."""

import argparse
import os
import signal
import sys
import time
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import bottle

STARTED = time.time()
app = bottle.Bottle()


@app.get("/")
def about():
    """Which version this is, and since when it runs (seconds since 1970)."""
    return {
        "service": "cauchycv",
        "version": os.environ.get("CAUCHYCV_VERSION", "unknown"),
        "commit": os.environ.get("CAUCHYCV_COMMIT", "unknown"),
        "started": STARTED,
    }


@app.get("/healthz")
def health():
    return {"status": "ok"}


class Server(ThreadingMixIn, WSGIServer):
    """One thread a request; a request under way does not hold up the end."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Says nothing of each request: the health check alone would fill the log."""

    def log_message(self, *_):
        pass

    def address_string(self):
        return self.client_address[0]


def stop(signum, frame):
    sys.exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8339)
    port = parser.parse_args().port
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with make_server("", port, app, server_class=Server, handler_class=Handler) as server:
        print("serving on port %d" % port, flush=True)
        server.serve_forever()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
