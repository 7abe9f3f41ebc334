"""What docs/JSON.md says of the documents that `--json` prints."""

import re

from sites import ROOT


def keys(task: str, place: str = "") -> set[str]:
    """The keys that stand in the table of a place in a task's document, such as `versions[]`; "" for its top."""
    section = re.split(r"^## ", (ROOT / "docs/JSON.md").read_text(), flags=re.MULTILINE)
    (said,) = [text for text in section if text.startswith(f"{task}\n")]
    parts = re.split(r"^### ", said, flags=re.MULTILINE)
    heading = f"`{place}`" if place else "The document"
    (part,) = [text for text in parts if heading in text.partition("\n")[0].split(", ")]
    return set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))
