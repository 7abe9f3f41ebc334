"""Docker command lines, built as argument lists and never run here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

QUOTE = '"'
SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash || exec sh")  # bash where there is one


class Recipe(Struct, frozen=True):
    """What `docker build` makes one image of. `reference` is repository:tag, `options` are more of its flags."""

    reference: str
    dockerfile: Path
    context: Path
    args: Mapping[str, str]
    labels: Mapping[str, str]
    options: Sequence[str] = ()


def build(recipe: Recipe) -> list[str]:
    """`docker build` of one image.

    The builder without BuildKit keeps the container of a step that failed, unless told; BuildKit takes the flag, and
    ignores it.
    """
    return [
        *("docker", "build", "--tag", recipe.reference, "--file", str(recipe.dockerfile), "--force-rm"),
        *pairs("--build-arg", recipe.args),
        *pairs("--label", recipe.labels),
        *recipe.options,
        str(recipe.context),
    ]


def pull(reference: str) -> list[str]:
    return ["docker", "pull", reference]


def push(reference: str) -> list[str]:
    return ["docker", "push", reference]


def remove_image(image: str, force: bool = False) -> list[str]:
    return ["docker", "image", "rm", *(["--force"] if force else []), image]


def remove_volume(volume: str) -> list[str]:
    return ["docker", "volume", "rm", volume]


def tag_image(image: str, reference: str) -> list[str]:
    return ["docker", "image", "tag", image, reference]


def import_image(archive: Path, reference: str) -> list[str]:
    return ["docker", "import", str(archive), reference]


def save(reference: str) -> list[str]:
    return ["docker", "save", reference]


def load() -> list[str]:
    return ["docker", "load"]


def elsewhere(where: Sequence[str], command: Sequence[str]) -> list[str]:
    """A docker command for another engine. `where`: `--context NAME` or `--host ADDRESS`; nothing for this run's."""
    return [command[0], *where, *command[1:]]


def create(
    name: str, image: str, options: Sequence[str], command: Sequence[str], labels: Mapping[str, str]
) -> list[str]:
    """`docker create` of a container from an image that is here: it must never be pulled instead."""
    return ["docker", "create", "--pull=never", f"--name={name}", *pairs("--label", labels), *options, image, *command]


def terminal(
    name: str, image: str, options: Sequence[str], command: Sequence[str], labels: Mapping[str, str]
) -> list[str]:
    """`docker run` in this terminal of an image that is here; the container goes when it ends."""
    flags = ["--rm", "--interactive", "--tty", "--pull=never", f"--name={name}"]
    return ["docker", "run", *flags, *pairs("--label", labels), *options, image, *command]


def start(container: str) -> list[str]:
    return ["docker", "start", container]


def logs(container: str, follow: bool = False, tail: str = "", since: str = "") -> list[str]:
    """`docker logs`. `tail`: so many lines, "" for all; `since`: docker's own forms of a time, "" for the beginning."""
    options = [*(["--tail", tail] if tail else []), *(["--since", since] if since else [])]
    return ["docker", "logs", *(["--follow"] if follow else []), *options, container]


def execute(container: str, command: Sequence[str], terminal: bool) -> list[str]:
    """`docker exec` with this run's standard input; `terminal`: in a terminal of its own."""
    return ["docker", "exec", "--interactive", *(["--tty"] if terminal else []), container, *command]


def stop(container: str, seconds: int | None = None) -> list[str]:
    """`docker stop`; `seconds` until it is killed, docker's or the container's own default if None."""
    return ["docker", "stop", *(["-t", str(seconds)] if seconds is not None else []), container]


def restart_policy(container: str, policy: str) -> list[str]:
    """Set when the engine starts a container by itself; "no" for never."""
    return ["docker", "update", f"--restart={policy}", container]


def rename(container: str, name: str) -> list[str]:
    return ["docker", "rename", container, name]


def connect(container: str, network: str, aliases: Sequence[str], address: str) -> list[str]:
    """`docker network connect`; `address`: the container's own there, "" for one that docker chooses."""
    options = [*(f"--alias={alias}" for alias in aliases), *([f"--ip={address}"] if address else [])]
    return ["docker", "network", "connect", *options, network, container]


def remove(container: str, force: bool = False, volumes: bool = False) -> list[str]:
    """`docker rm`; `volumes`: with its anonymous ones, as always by force."""
    return ["docker", "rm", *(["--force"] if force else []), *(["--volumes"] if force or volumes else []), container]


def deploy(file: Path, stack: str, detach: bool) -> list[str]:
    """`docker stack deploy`. The image is named by what the nodes have, so no registry is asked what a tag means.

    `detach`: where the client knows it, which waits for the end one day unless it is told not to.
    """
    options = ["--resolve-image", "never", "--with-registry-auth", *(["--detach=true"] if detach else [])]
    return ["docker", "stack", "deploy", "--compose-file", str(file), *options, stack]


def job(name: str, image: str, options: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """A service that makes one container on each node, once, and starts nothing of the image's own in it.

    Swarm's own mode for that, global-job, leaves each container behind when the service is removed, and with it an
    image that nobody can remove. `options` say whether one that fails is tried again.
    """
    how = ["--detach", "--quiet", "--name", name, "--mode", "global"]
    how += ["--no-healthcheck", "--no-resolve-image", "--with-registry-auth"]
    return ["docker", "service", "create", *how, *pairs("--label", labels), *options, "--entrypoint", "true", image]


def remove_service(name: str) -> list[str]:
    """One service of a stack: `docker stack rm` would take those along that others deployed under the same name."""
    return ["docker", "service", "rm", name]


def roll_back(name: str) -> list[str]:
    """A Swarm service's way back to what it was before its last update, which it can return to in the same way."""
    return ["docker", "service", "rollback", "--detach", name]


def label_service(name: str, key: str, value: str) -> list[str]:
    """Label a Swarm service, which replaces none of its tasks. What it was before its last update is forgotten."""
    return ["docker", "service", "update", "--detach", "--quiet", "--label-add", f"{key}={value}", name]


def unlabel_service(name: str, key: str) -> list[str]:
    """The contrary of `label_service`."""
    return ["docker", "service", "update", "--detach", "--quiet", "--label-rm", key, name]


def replace_tasks(name: str) -> list[str]:
    """Make every task of a Swarm service anew, as it is, node after node."""
    return ["docker", "service", "update", "--detach", "--force", name]


def bind(source: Path, target: str, read_only: bool = False) -> str:
    """The option that mounts a folder of the engine's host.

    Other than with `--volume`, a folder that is not there is refused and not made, and a colon is part of its name. The
    values are CSV (https://docs.docker.com/engine/storage/bind-mounts/).
    """
    words = ("type=bind", f"source={source}", f"target={target}", *(["readonly"] if read_only else []))
    quoted = [f'"{word.replace(QUOTE, 2 * QUOTE)}"' if set(word) & {",", QUOTE} else word for word in words]
    return f"--mount={','.join(quoted)}"


def pairs(option: str, values: Mapping[str, str]) -> list[str]:
    """One `option key=value` for each value."""
    return [word for key, value in values.items() for word in (option, f"{key}={value}")]
