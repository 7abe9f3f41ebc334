"""HTTP over a Unix socket, as far as it takes to read from a Docker Engine on this machine."""

import socket

TIMEOUT = 60.0  # seconds without a byte, as the docker SDK has it


def get(path: str, target: str) -> tuple[int, bytes]:
    """Ask a server behind a Unix socket one question.

    In HTTP/1.0, where an answer ends with its connection: nothing is sent in chunks.

    Args:
        path: of the socket.
        target: what to get, quoted as in a URL.

    Returns:
        The status, such as 200, and the body.

    Raises:
        OSError: when nobody answers, or not in HTTP.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(path)
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            protocol, status, *_ = [*answer.readline().split(), b"", b""]
            if not (protocol.startswith(b"HTTP/") and status.isdigit()):
                raise ConnectionError("Connection aborted")
            while answer.readline().strip():  # the headers; then comes an empty line
                pass
            return int(status), answer.read()
