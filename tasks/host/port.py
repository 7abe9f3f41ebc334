"""Who listens on a TCP port of this host."""

import socket
from pathlib import Path


def stranger(port: int, containers: tuple[str, ...]) -> str:
    """Who listens on a port of this host, if it is none of these containers (by id); "" if nobody does, or one of them.

    A process that this user may not look at is believed to be one of the containers, if there are any.
    """
    import psutil

    listening = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    for pid in listening:
        if pid is None:
            if not containers:
                return "another process"
            continue
        try:
            groups = Path(f"/proc/{pid}/cgroup").read_text()
            name = psutil.Process(pid).name()
        except (OSError, psutil.Error):
            continue  # it ended in this moment
        # docker's own forwarder listens for published ports; `docker start` tells if it is another container's.
        if name != "docker-proxy" and not any(container in groups for container in containers):
            return f"{name} (process {pid})"
    return ""


def answers(host: str, port: int, timeout: float = 0.5) -> bool:
    """Whether something accepts connections on a TCP port; `timeout` in seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False
