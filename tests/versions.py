"""Versions of the tests' service, good and bad, made in a moment: an image that differs by its configuration alone."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from images import Configuration, like, load
from sites import Site

SERVE = 'echo "$VERSION" > /tmp/index.html; exec httpd -f -p {port} -h /tmp'
LATE = f"until test -e /tmp/now; do sleep 0.1; done; {SERVE}"  # serves once a test says so: `switches.go_on`
CHECK = "wget -q -O /dev/null http://127.0.0.1:{port}/index.html"
NO_CHECK = ""


def make(site: Site, tag: str, *, extra: str = "", **about: Any) -> str:
    """Make a version of the site's frame.

    Args:
        extra: lines of a Dockerfile that is built on top of it, under the same name.
        about: what differs from a good version: the arguments of `configured`.

    Returns:
        Its reference, `tests/visdom:TAG`.
    """
    (reference,) = make_all(site, {tag: about})
    if extra:
        site.engine.docker("build", "--quiet", "--tag", reference, "-", input=f"FROM {reference}\n{extra}\n")
    return reference


def make_all(site: Site, versions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Make several versions at once, which takes little longer than one. Returns their references.

    Args:
        versions: tag to what differs from a good version: the arguments of `configured`.
    """
    found = dict(configured(site, tag, **about) for tag, about in versions.items())
    load(site.engine, found)
    return [*found]


def configured(
    site: Site,
    tag: str,
    *,
    script: str = SERVE,
    check: str = CHECK,
    options: Sequence[str] = ("--network", "host", "--init"),
    label: str | None = None,
    image: str | None = None,
) -> tuple[str, Configuration]:
    """The reference and the configuration of a version. `{port}` in a text is the site's port.

    Args:
        script: what its process does, for `sh -c`.
        check: its health check, for `sh -c`; "" for none.
        options: the docker run options of its recommended command.
        label: the recommended command's text instead of the usual one.
    """
    name = image or site.frame["image"]
    reference = f"{name}:{tag}"
    process = ["sh", "-c", script.format(port=site.port)]
    words = [option.replace("{port}", str(site.port)) for option in options]
    command = shlex.join(["docker", "run", "-d", "--name", site.frame["service"], *words, reference, *process])
    labels = {
        "org.label-schema.name": name,
        "org.label-schema.docker.cmd": command if label is None else label,
        "com.colorai.stack.port": str(site.port),
        "org.opencontainers.image.version": tag,
        "org.opencontainers.image.created": datetime.now(timezone.utc).isoformat(),
        "org.opencontainers.image.revision": tag.encode().hex().ljust(40, "0")[:40],
    }
    config: dict[str, object] = {"Env": [f"VERSION={tag}"], "Labels": labels}
    if check:
        test = ["CMD-SHELL", check.format(port=site.port)]
        config["Healthcheck"] = {"Test": test, "Interval": site.engine.check_every * 10**9}
    return reference, like(site.engine, "tiny:1", **config)


def labelled(site: Site, tag: str, **labels: str) -> str:
    """Make a good version with these labels besides the usual ones. Returns its id."""
    reference, found = configured(site, tag)
    found["config"]["Labels"] |= labels
    load(site.engine, {reference: found})
    return str(site.engine.request("GET", f"/images/{reference}/json")["Id"])
