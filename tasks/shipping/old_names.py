"""Which layer a folder of `docker save` holds, before Docker 25: known from its `json`, which comes before the layer.

The folder's name is the hash of that file with the layer's chain in it, so there is no guessing: a layer that is not
recognized is one that another version of Docker has named, and is sent.
Source: moby (image/v1/imagev1.go, CreateID; image/tarexport/save.go) and the OCI image specification, for chains.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

import msgspec


def chains(layers: Sequence[str]) -> list[str]:
    """The id of each layer's chain: it and all below it."""
    found: list[str] = []
    for layer in layers:
        found.append(f"sha256:{sha256(f'{found[-1]} {layer}'.encode())}" if found else layer)
    return found


def layer_of(folder: str, about: bytes, layers: Sequence[str]) -> str:
    """The layer in a folder, by the hash of its content; "" where it is not recognized.

    Args:
        folder: its name.
        about: its file `json`.
        layers: those of the image, from the lowest up.
    """
    try:
        fields = {key: bytes(raw) for key, raw in msgspec.json.decode(about, type=dict[str, msgspec.Raw]).items()}
    except msgspec.MsgspecError:
        return ""
    fields.pop("id", None)
    if "parent" in fields:
        fields["parent"] = b'"sha256:' + fields["parent"][1:]
    for layer, chain in zip(layers, chains(layers), strict=True):
        named = fields | {"layer_id": json.dumps(chain).encode()}
        # The uppermost layer's name counts the operating system, the others' do not.
        for kept in (named, {key: raw for key, raw in named.items() if key != "os"}):
            if sha256(compact(kept)) == folder:
                return layer
    return ""


def compact(fields: Mapping[str, bytes]) -> bytes:
    """JSON as Go writes a map: sorted, without a space."""
    return b"{" + b",".join(json.dumps(key).encode() + b":" + fields[key] for key in sorted(fields)) + b"}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
