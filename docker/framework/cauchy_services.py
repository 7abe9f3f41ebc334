"""A stand-in for the framework: a small HTTP service. Runs on Python 3.6, as the framework does."""

import argparse
import os
import select
import signal
import threading
import time
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import bottle

STARTED = time.time()
FINISH_WITHIN = 8  # seconds: docker stop kills after ten
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
    """One thread a request."""

    daemon_threads = True  # one that never ends does not hold up the end
    under_way = 0
    changed = threading.Condition()

    def process_request(self, request, client_address):
        with self.changed:
            self.under_way += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.changed:
                self.under_way -= 1
                self.changed.notify_all()

    def finish(self):
        """Take what has been connected already, then no more, and wait for the requests under way."""
        while select.select([self], [], [], 0)[0]:
            self.handle_request()
        self.server_close()
        with self.changed:
            self.changed.wait_for(lambda: not self.under_way, timeout=FINISH_WITHIN)


class Handler(WSGIRequestHandler):
    """Says nothing of each request: the health check alone would fill the log."""

    def log_message(self, *_):
        pass

    def address_string(self):
        return self.client_address[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8339)
    port = parser.parse_args().port
    server = make_server("", port, app, server_class=Server, handler_class=Handler)
    server.timeout = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        # From another thread: it waits until serve_forever, which this handler interrupts, has ended.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print("serving on port %d" % port, flush=True)
    server.serve_forever(poll_interval=0.05)
    server.finish()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
