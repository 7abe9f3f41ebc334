"""The task `engine`: a Docker Engine to work with."""

from invoke import Context

from .host.saying import say
from .program.task import task


@task
def engine(c: Context) -> None:
    """Say which Docker Engine answers; bring one if none does.

    Installs docker.io on Debian or Ubuntu, as root, after saying so, and with it
    nftables, by which connections wait. Elsewhere it says what to type.
    """
    from .engine.client import DENIED, Unreachable
    from .engine.endpoint import resolve
    from .host import dockerd, nft

    endpoint = resolve()
    answer = dockerd.bring(c, endpoint.host, endpoint.environment(), denied=Unreachable(endpoint, DENIED))
    nft.bring(c, here=endpoint.host == dockerd.OWN)
    say(f"Docker Engine {answer or 'would answer'} at {endpoint.host}.")
