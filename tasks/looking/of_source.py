"""What `doctor` looks at in what is built from: the git checkouts, and vendor/."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from invoke import Context

from ..building import release
from ..settings.model import ROOT, Frame, Settings
from ..vendoring.plan import Wishes, choose, make_plan
from .finding import Finding, attempted, broken, doubtful, fine


def checkouts(c: Context, settings: Settings, frames: Mapping[str, Frame]) -> Iterator[Finding]:
    """Each source once; `frames` are those that it is about."""
    seen: dict[Path, str] = {}
    for key, frame in frames.items():
        setting = f"stack.frames.{key}.source" if frame.source else "stack.source"
        seen.setdefault(settings.path(frame.source or settings.source), setting)
    for source, setting in seen.items():
        yield from attempted("checkout", lambda source=source, setting=setting: checkout(c, source, setting))  # type: ignore[misc]


def checkout(c: Context, source: Path, setting: str) -> Iterator[Finding]:
    """Whether a frame can be built from a source, which `setting` names."""
    revision, branch = release.head(c, source, f"It is the setting {setting}.")
    changed = [state for state in release.status(c, source) if state.tracked]
    at = f"{source} is at {revision[:7]} of {branch}"
    if changed:
        files = "1 file differs" if len(changed) == 1 else f"{len(changed)} files differ"
        said = f"{at}, and {files} from it: inv frame refuses that without --dirty."
        yield doubtful("checkout", said, shlex.join(["git", "-C", str(source), "status"]))
    else:
        yield fine("checkout", at)


def vendor() -> Iterator[Finding]:
    """Whether vendor/ is as its pins say."""
    folder = ROOT / "vendor"
    pins = choose(folder, "", {})
    plan = make_plan(folder, pins, Wishes(check=True, dry=True))  # dry: nothing is remembered
    for said in plan.problems:
        yield broken("vendor", said, None)
    other = [f"vendor/{name} is {why}" for name, why in plan.fetch.items()]
    other += [f"vendor/{name} is not in vendor.yaml" for name in plan.remove]
    if other:
        yield doubtful("vendor", f"{'; '.join(other)}.", "inv fetch-vendor")
    elif not plan.problems:
        yield fine("vendor", f"as vendor.yaml says ({len(pins)} pinned)")
