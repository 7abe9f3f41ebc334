"""The task `weights`: the HTTP server of the pretrained weights."""

from invoke import Context

from .program.task import task


@task(help={"stop": "Stop it, and take its container away."})
def weights(c: Context, stop: bool = False) -> None:
    """Serve the pretrained weights over HTTP, read-only.

    A container of the base, or of the setting weights.image, which the engine
    itself starts again after a reboot. It sees the folder pretrained_models of
    the data directory and nothing else. Anybody who reaches the port may read it.
    """
    from .service import weights as server

    (server.stop if stop else server.serve)(server.Weights.of(c))
