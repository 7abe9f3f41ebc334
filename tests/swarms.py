"""Three engines as one swarm: each with a network of its own, and all of it gone when the engines end.

The first one's network holds the bridge, so that nothing is made in this machine's own: no namespace has a name, and
what is in one goes with the last process there.
"""

import subprocess
import time
from types import TracebackType

from clients import EVERY, Clients
from engines import PrivateEngine
from newer import NewerEngine

LABEL = "com.colorai.stack.tests_service"


class Swarm:
    """Engines as one swarm, the first of which manages it; each node has the label of the tests' service.

    `engines` are in the order of `nodes`, which are their ids in the swarm; `names` are what people see: n1, n2, n3.
    `registry` is the host of the one that `serve_registry` starts.

    Args:
        mixed: whether the last one is an engine 26.1 with containerd's image store.
    """

    registry = "10.99.0.1:5000"

    def __init__(self, count: int = 3, mixed: bool = False) -> None:
        self.engines: list[PrivateEngine] = []
        self.nodes: list[str] = []
        self.names = [f"n{number + 1}" for number in range(count)]
        try:
            for name in self.names:
                words = [f"--insecure-registry={self.registry}", "--bridge="]  # docker's own bridge, in its network
                if mixed and name == self.names[-1]:
                    self.engines.append(NewerEngine(*words, containerd=True, alone=True, hostname=name))
                else:
                    self.engines.append(PrivateEngine(*words, alone=True, hostname=name))
            for engine in self.engines:
                engine.check_every = 2  # a swarm goes by docker's own checks
            self.connect()
            self.join()
        except BaseException:
            self.close()
            raise

    @property
    def manager(self) -> PrivateEngine:
        return self.engines[0]

    def network(self, number: int, *words: str) -> None:
        """`ip …` in the network of an engine; it sees this machine's processes."""
        target = self.engines[number].inside()[2]
        subprocess.run(["nsenter", "--target", target, "--net", "ip", *words], check=True, capture_output=True)

    def connect(self) -> None:
        """Give each engine an address, 10.99.0.1 and so on, on a bridge in the first one's network."""
        self.network(0, "link", "add", "hub", "type", "bridge")
        self.network(0, "address", "add", "10.99.0.1/24", "dev", "hub")
        self.network(0, "link", "set", "hub", "up")
        for number, engine in enumerate(self.engines[1:], start=1):
            here, there = f"to{number}", engine.inside()[2]
            self.network(0, "link", "add", here, "type", "veth", "peer", "name", "out", "netns", there)
            self.network(0, "link", "set", here, "master", "hub", "up")
            self.network(number, "address", "add", f"10.99.0.{number + 1}/24", "dev", "out")
            self.network(number, "link", "set", "out", "up")

    def join(self) -> None:
        """Make them one swarm."""
        self.manager.docker("swarm", "init", "--advertise-addr", "10.99.0.1", "--dispatcher-heartbeat", "1s")
        token = self.manager.docker("swarm", "join-token", "--quiet", "worker").stdout.strip()
        for number, engine in enumerate(self.engines[1:], start=1):
            address = f"10.99.0.{number + 1}"
            engine.docker("swarm", "join", "--token", token, "--advertise-addr", address, "10.99.0.1:2377")
        self.nodes = [str(engine.request("GET", "/info")["Swarm"]["NodeID"]) for engine in self.engines]
        self.manager.docker("node", "update", "--label-add", f"{LABEL}=true", self.nodes[0])
        for node in self.nodes[1:]:
            self.manager.docker("node", "update", "--label-add", f"{LABEL}=true", node)

    def clients(self, port: int, every: float = EVERY) -> list[Clients]:
        """A client of each node's port, which asks from another node."""
        others = [self.engines[1], *(len(self.engines) - 1) * [self.manager]]
        return [
            Clients(port, 1, f"10.99.0.{number}", ["nsenter", "--target", other.inside()[2], "--net"], every)
            for number, other in enumerate(others, start=1)
        ]

    def serve_registry(self) -> None:
        """Start a registry in the first engine's network; it ends with that engine."""
        folder = self.manager.folder
        storage = f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}"
        (folder / "registry.yml").write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '{self.registry}'}}\n")
        command = [*self.manager.inside(), "docker-registry", "serve", str(folder / "registry.yml")]
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        ask = [*self.manager.inside(), "busybox", "wget", "-q", "-O", "/dev/null", f"http://{self.registry}/v2/"]
        for _ in range(600):
            if subprocess.run(ask, capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("The registry does not start.")

    def close(self) -> None:
        for engine in self.engines:
            engine.close()

    def __enter__(self) -> "Swarm":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
