"""Bringing a version to a registry, and from one: under the registry's name for it as long as docker needs that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from invoke import Context, Exit

from ..engine import commands
from ..engine.engine import Engine
from ..engine.names import repository_of
from ..engine.records import Image
from ..host import signals
from ..host.shell import Failed, Show, run
from .host import stays
from .registry import Remote, must_answer


class NotPulled(Exit):
    """An image that docker could not bring, exit code 1."""


class Owner(Protocol):
    """Whose versions they are: a Service."""

    @property
    def c(self) -> Context: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def dry(self) -> bool: ...

    def do(self, command: Sequence[str], failed: str) -> object: ...


def push(owner: Owner, local: str, remote: str) -> str:
    """Send an image to a registry.

    Args:
        local, remote: its references here and there.

    Returns:
        The digest that the registry knows it by; "" where the engine does not say.

    Raises:
        Exit: with code 1 when it does not get there.
    """
    host = remote.partition("/")[0]
    with passing(owner, remote):
        owner.do(commands.tag_image(local, remote), f"{local} cannot be named {remote}.")
        failed = f"{remote} cannot be pushed; the lines above say why. If it wants a login, type: docker login {host}"
        try:
            run(owner.c, commands.push(remote), failed, owner.engine.environment, Show.DISPLAY)
        except Failed:
            must_answer(Remote.of(owner.engine, repository_of(remote)))
            raise
        found = None if owner.dry else owner.engine.image(remote)
        repository = remote.rpartition(":")[0]
        digests = [one.partition("@")[2] for one in found.digests if one.startswith(f"{repository}@")] if found else []
        return next(iter(digests), "")


@contextmanager
def pulled(owner: Owner, remote: str) -> Iterator[Image | None]:
    """An image from a registry, for the time of the block under the registry's name; None under `--dry`.

    Raises:
        NotPulled: with code 1 when it does not come.
    """
    host = remote.partition("/")[0]
    with passing(owner, remote):
        failed = f"{remote} cannot be pulled; the lines above say why. If it wants a login, type: docker login {host}"
        try:
            run(owner.c, commands.pull(remote), failed, owner.engine.environment, Show.DISPLAY)
        except Failed as error:
            raise NotPulled(error.message, code=1) from None
        found = None if owner.dry else owner.engine.image(remote)
        if not found and not owner.dry:
            raise Exit(f"docker pull brought no image {remote}.", code=1)
        yield found


@contextmanager
def passing(owner: Owner, reference: str) -> Iterator[None]:
    """Take a reference away after the block, however that ends, unless it was there before."""
    before = owner.engine.image(reference)
    try:
        yield
    finally:
        if not before and (owner.dry or stays(owner.engine, reference)):
            with signals.held():
                owner.do(commands.remove_image(reference), f"{reference} stays: it cannot be removed.")
