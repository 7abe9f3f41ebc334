"""The task `labels`: what an image says of itself."""

from invoke import Context, Exit

from .program import flags
from .program.task import task


@task(
    help={
        "name": flags.NAME,
        "tag": "A version of the frame; without it, the one that runs.",
        "image": "Any image, by reference or id.",
        "json": "Print JSON and nothing else.",
        "key": "Print the value of this label and nothing else.",
    }
)
def labels(c: Context, name: str = "", tag: str = "", image: str = "", json: bool = False, key: str = "") -> None:
    """Show what an image says of itself."""
    from .service.labels import any_image, show, version
    from .service.service import Service

    if image and tag:
        raise Exit("--image names an image and --tag a version of the frame: type one of them.", code=2)
    if json and key:
        raise Exit("--json prints all labels and --key one value: type one of them.", code=2)
    show(any_image(image) if image else version(Service.of(c, name), tag), json, key)
