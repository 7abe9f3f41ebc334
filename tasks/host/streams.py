"""Standard input, output and error of this run."""

import os
import sys

NAMES = ("stdin", "stdout", "stderr")  # by the numbers of their files


def complete() -> None:
    """Open those that the caller has closed, as `inv status <&-` does, on nothing.

    Python has None in their place, of which nothing can be asked; and the next file that a program opens gets the
    number, so that what is said lands there.
    """
    for number, name in enumerate(NAMES):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(file, file == number)
            setattr(sys, name, os.fdopen(file, "w" if number else "r"))
