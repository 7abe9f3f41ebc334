"""Versions of the tests' service, good and bad, made in a moment: an image that differs by its configuration alone."""

import shlex
from collections.abc import Sequence
from datetime import datetime, timezone

from images import like, load
from sites import Site

SERVE = 'echo "$VERSION" > /tmp/index.html; exec httpd -f -p {port} -h /tmp'
CHECK = "wget -q -O /dev/null http://127.0.0.1:{port}/index.html"
NO_CHECK = ""


def make(
    site: Site,
    tag: str,
    *,
    script: str = SERVE,
    check: str = CHECK,
    options: Sequence[str] = ("--network", "host", "--init"),
    label: str | None = None,
    extra: str = "",
    image: str | None = None,
) -> str:
    """Make a version of the site's frame.

    Args:
        script: what its process does, for `sh -c`; `{port}` is the site's port.
        check: its health check, for `sh -c`; "" for none.
        options: the docker run options of its recommended command.
        label: the recommended command's text instead of the usual one.
        extra: lines of a Dockerfile that is built on top of it, under the same name.

    Returns:
        Its reference, `tests/visdom:TAG`.
    """
    name = image or site.frame["image"]
    reference = f"{name}:{tag}"
    process = ["sh", "-c", script.format(port=site.port)]
    command = shlex.join(["docker", "run", "-d", "--name", site.frame["service"], *options, reference, *process])
    labels = {
        "org.label-schema.name": name,
        "org.label-schema.docker.cmd": command if label is None else label,
        "org.opencontainers.image.version": tag,
        "org.opencontainers.image.created": datetime.now(timezone.utc).isoformat(),
        "org.opencontainers.image.revision": tag.encode().hex().ljust(40, "0")[:40],
    }
    config: dict[str, object] = {"Env": [f"VERSION={tag}"], "Labels": labels}
    if check:
        test = ["CMD-SHELL", check.format(port=site.port)]
        config["Healthcheck"] = {"Test": test, "Interval": 2_000_000_000}  # nanoseconds
    load(site.engine, {reference: like(site.engine, "tiny:1", **config)})
    if extra:
        site.engine.docker("build", "--quiet", "--tag", reference, "-", input=f"FROM {reference}\n{extra}\n")
    return reference
