"""What `--help` says of flags that several tasks have in common."""

NAME = "Which frame, a key under stack.frames; needed only when there are several."
JSON = "Print one JSON document and nothing else; docs/JSON.md says what is in it."
TAKE_OVER = "End a switch that is under way, whose run is gone for good; its starter is shown."
TRUST = "Show a recommended command that goes beyond start.allow, and ask whether to run it."
YES = "With --trust: do not ask."
SWITCH = {  # of the flags that `start` and `rollback` have in common
    "name": NAME,
    "wait": "Seconds to wait for somebody else's switch to end.",
    "from-settings": "Run it as today's settings say, not as its label or its record does.",
    "trust": TRUST,
    "yes": YES,
    "take-over": TAKE_OVER,
}
