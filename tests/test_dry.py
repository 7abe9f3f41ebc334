"""`--dry`: the whole list of commands that each kind of task prints, and would run.

That what runs is the same list is shown by test_switch: dry_prints_the_very_commands, and test_base and test_frame.
"""

import re
from contextlib import suppress

from sites import Site
from switches import old
from versions import make

BUILDS = [
    "docker build --tag tests/base:latest.building-<key> --file PROJECT/.build/tests=base.Dockerfile "
    "--force-rm --build-arg PARENT=tiny:1 --network host PROJECT",
    "docker image tag tests/base:latest.building-<key> tests/base:latest",
    "docker image rm tests/base:latest.building-<key>",
    "docker build --tag tests/visdom:0.2.1.building-<key> --file PROJECT/.build/tests=visdom.Dockerfile "
    "--force-rm --build-arg REPOSITORY=tests/visdom --build-arg TAG=0.2.1 --build-arg DATE=<date> "
    "--build-arg VERSION=<commit> --build-arg URL= --build-arg COMMIT=<commit> --build-arg BRANCH=main "
    "--build-arg VENDOR=ColorAI --build-arg PROJECT=visdom --build-arg PORT=<port> --build-arg BASE=tests/base:latest "
    "--build-arg 'COMMAND=docker run --detach --name tests_service --network host --init tests/visdom:0.2.1 "
    "httpd -f -p <port> -h /srv' --network host PROJECT/.build/tests=visdom",
    "docker image tag tests/visdom:0.2.1.building-<key> tests/visdom:0.2.1",
    "docker image rm tests/visdom:0.2.1.building-<key>",
]
LABELS = "--label com.colorai.stack.service=tests_service --label 'com.colorai.stack.switch=<ticket>'"
BUILT = "tests/visdom:0.2.1 httpd -f -p <port> -h /srv"
MADE = """tests/visdom:{} sh -c 'echo "$VERSION" > /tmp/index.html; exec httpd -f -p <port> -h /tmp'"""


ALONE = "--network=none --sysctl=net.ipv6.conf.all.disable_ipv6=0 --sysctl=net.ipv6.conf.lo.disable_ipv6=0"


def create(version: str) -> str:
    """The command that makes the candidate; the version is the image and its command."""
    return f"docker create --pull=never --name=tests_service.next {LABELS} --network=host --init {version}"


def rehearse(version: str) -> list[str]:
    labels = "--label com.colorai.stack.rehearsal=tests_service --label 'com.colorai.stack.switch=<ticket>'"
    return [
        f"docker create --pull=never --name=tests_service.rehearsal {labels} {ALONE} --init {version}",
        "docker start tests_service.rehearsal",
        "docker rm --force --volumes tests_service.rehearsal",
    ]


def switch(former: str) -> list[str]:
    return [
        "docker stop <id>",
        "docker start tests_service.next",
        f"docker rename <id> tests_service.{former}",
        "docker rename tests_service.next tests_service",
    ]


DEPLOY = ["docker start tests_service.next", "docker rename tests_service.next tests_service"]


def printed(site: Site, *words: str) -> list[str]:
    """The commands that `inv --dry …` prints, with placeholders for what is another each time."""
    text = site.inv("--dry", *words).stdout
    for value, name in ((site.root, "PROJECT"), (site.port, "<port>")):
        text = text.replace(str(value), name)
    for pattern, name in (
        (r" --label '?com\.colorai\.stack\.run=.*?(?= --label 'com\.colorai\.stack\.switch)", ""),
        (r"com\.colorai\.stack\.switch=\{.*?\}'", "com.colorai.stack.switch=<ticket>'"),
        (r"\.building-[0-9a-f]{8}", ".building-<key>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<date>"),
        (r"\b[0-9a-f]{12}\b", "<id>"),
        (r"\b[0-9a-f]{7}\b", "<commit>"),
    ):
        text = re.sub(pattern, name, text)
    return [line for line in text.splitlines() if line.startswith("docker ")]


def test_building_and_a_first_deployment(site: Site) -> None:
    with suppress(AssertionError):
        site.engine.request("DELETE", "/images/tests/base:latest?force=1")
    assert printed(site, "base") == BUILDS[:3]
    assert printed(site, "frame") == BUILDS
    assert printed(site, "frame", "start") == [*BUILDS, create(BUILT), *DEPLOY]
    assert site.engine.request("GET", "/containers/json?all=1") == []
    assert not site.docker("images", "--quiet", "tests/visdom") and not site.docker("images", "--quiet", "tests/base")


def test_switching_going_back_and_stopping(site: Site) -> None:
    make(site, "1.0")
    make(site, "2.0")
    one, two = MADE.format("1.0"), MADE.format("2.0")
    assert printed(site, "start", "--tag", "1.0") == [create(one), *DEPLOY]
    assert printed(site, "stop") == []
    old(site)
    assert printed(site, "start", "--tag", "1.0") == []
    assert printed(site, "start", "--tag", "2.0") == [create(two), *rehearse(two), *switch("1.0")]
    assert printed(site, "start", "--tag", "2.0", "--no-rehearsal") == [create(two), *switch("1.0")]
    assert printed(site, "stop") == ["docker stop <id>"]
    site.set(keep=0)
    removed = "docker rm <id>"  # without its volumes: it was started by hand
    assert printed(site, "start", "--tag", "2.0") == [create(two), *rehearse(two), *switch("1.0"), removed]
    site.set(keep=3)
    site.inv("start", "--tag", "2.0", "--no-rehearsal")
    assert printed(site, "rollback") == [create(one), *switch("2.0")]
    assert printed(site, "rollback", "--rehearsal") == [create(one), *rehearse(one), *switch("2.0")]
    assert site.running() == {"tests_service": "tests/visdom:2.0"}
