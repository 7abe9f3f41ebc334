"""The recommended command is hostile until checked: each rule and spelling, thousands of labels, and docker itself."""

import csv
import getopt
import json
import re
import shlex
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tasks.recommended import grammar as docker_run
from tasks.recommended.command import Option, Recommended, Refused, check, parse, unusual

IMAGE = "colorai/cauchycv_visdom:0.2.7"
REPLACED = (
    "docker run -d --name cauchy_service --restart unless-stopped --volume /data:/data --network host --hostname "
    "colorai --runtime nvidia --shm-size=2g --ulimit memlock=-1 --ulimit stack=67108864 "
    "colorai/cauchycv_visdom:0.2.7 python cauchy_services.py --port 8339"
)
ALLOW = frozenset(YAML(typ="safe").load(Path(__file__).parents[2] / "invoke.yaml")["stack"]["start"]["allow"])


def made(*words: str, image: str = IMAGE, start: str = "docker run -d --name service") -> str:
    """A label's text with some more options in it, each already one word of the shell."""
    return " ".join([start, *map(shlex.quote, words), image, "sleep", "9"])


def accepted(*words: str, local: bool = False) -> Recommended:
    return check(made(*words), IMAGE, ALLOW, "/data", local)


def reason(text: str, data: str = "/data", local: bool = False) -> str:
    """The sentence that a label is refused with."""
    with pytest.raises(Refused) as refused:
        check(text, IMAGE, ALLOW, data, local)
    assert refused.value.code == 1
    assert refused.value.message and "\n" not in refused.value.message
    return str(refused.value.message)


def test_the_command_of_the_old_scripts_is_safe_to_run() -> None:
    read = check(REPLACED, IMAGE, ALLOW, "/data", local=False)
    assert read.name == "cauchy_service"
    assert read.image == IMAGE
    assert read.command == ("python", "cauchy_services.py", "--port", "8339")
    assert read.arguments() == [
        "--restart=unless-stopped", "--volume=/data:/data", "--network=host", "--hostname=colorai", "--runtime=nvidia",
        "--shm-size=2g", "--ulimit=memlock=-1", "--ulimit=stack=67108864",
    ]  # fmt: skip
    assert (read.network, read.binds(), read.ports()) == ("host", ("/data",), ())
    assert read.values("ulimit") == ("memlock=-1", "stack=67108864")
    assert read.without("restart", "network", "ulimit").arguments() == [
        "--volume=/data:/data", "--hostname=colorai", "--runtime=nvidia", "--shm-size=2g",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["--env", "A=b"], ["--env=A=b"]),
        (["--env=A=b"], ["--env=A=b"]),
        (["-e", "A=b"], ["--env=A=b"]),
        (["-eA=b"], ["--env=A=b"]),
        (["-e=A=b"], ["--env=A=b"]),
        (["-te", "A=b"], ["--tty", "--env=A=b"]),
        (["-dteA=b"], ["--tty", "--env=A=b"]),
        (["-t=true"], ["--tty"]),
        (["-t=false"], []),
        (["--init"], ["--init"]),
        (["--init=T"], ["--init"]),
        (["--init=0"], ["--init=false"]),  # the engine may have an init by default: off is something said
        (["--read-only=F"], []),
        (["--init", "--init=false", "--init=1"], ["--init"]),
        (["--privileged=false"], []),  # docker's last word counts, and it says off
        (["--hostname", ""], ["--hostname="]),
        (["--hostname="], ["--hostname="]),
        (["-h", "x"], ["--hostname=x"]),
        (["--net", "host"], ["--network=host"]),
        (["--env", "--privileged=1"], ["--env=--privileged=1"]),  # pflag takes whatever comes next as the value
        (["-p8339:8339"], ["--publish=8339:8339"]),
        (["-p=8339:8339"], ["--publish=8339:8339"]),
        (["-dp", "8339:8339"], ["--publish=8339:8339"]),
        (["-v/data:/data"], ["--volume=/data:/data"]),
        (["-m", "1g", "-m2g"], ["--memory=1g", "--memory=2g"]),
        (["--"], []),
    ],
)
def test_every_spelling_is_read_as_docker_reads_it(words: list[str], arguments: list[str]) -> None:
    assert accepted(*words).arguments() == arguments


@pytest.mark.parametrize("spelling", ["-d", "--detach", "--detach=true", "-d=1", "-td", "-dt", "--detach=0 -d"])
def test_every_spelling_of_detached(spelling: str) -> None:
    assert parse(made(start=f"docker run {spelling} --name service"), IMAGE).name == "service"


def test_docker_container_run_is_the_same_command() -> None:
    assert parse(made(start="docker container run -d --name service"), IMAGE).command == ("sleep", "9")


def test_what_follows_the_image_belongs_to_the_command() -> None:
    text = f"docker run -d --name service {IMAGE} --privileged -v /:/host -- $(id) '*' ';'"
    command = check(text, IMAGE, ALLOW, "/data", local=False).command
    assert command == ("--privileged", "-v", "/:/host", "--", "$(id)", "*", ";")


def test_a_value_that_counts_is_the_last_and_a_network_that_counts_is_the_first() -> None:
    read = parse(made("-m1g", "-m2g", "--network", "one", "--net=two"), IMAGE)
    assert (read.value("memory"), read.value("cpus"), read.network) == ("2g", None, "one")
    assert parse(made(), IMAGE).network == "default"


BROKEN = {
    "empty": "",
    "blank": "   ",
    "open quote": REPLACED + " 'x",
    "backslash at the end": REPLACED + " \\",
    "NUL": REPLACED + "\0",
    "newline": REPLACED + "\nrm -rf /",
    "escape sequence": REPLACED + " \x1b[2J",
    "turned writing": REPLACED + " \u202egnp",
    "half a character": REPLACED + " \udc80",
    "endless": REPLACED + " x" * 20_000,
    "another program": "podman run -d --name service " + IMAGE,
    "sudo": "sudo " + REPLACED,
    "absolute path": "/usr/bin/" + REPLACED,
    "a variable in front": "DOCKER_HOST=tcp://evil " + REPLACED,
    "global option": "docker --host tcp://evil run -d --name service " + IMAGE,
    "global option, joined": "docker -Htcp://evil run -d --name service " + IMAGE,
    "another command": "docker create --name service " + IMAGE,
    "exec": "docker container exec -d service sh",
    "nothing after run": "docker run",
    "no image": "docker run -d --name service",
    "no image after --": "docker run -d --name service --",
    "not detached": f"docker run --name service {IMAGE}",
    "detached after the image": f"docker run --name service {IMAGE} -d",
    "detach off": f"docker run -d --name service --detach=false {IMAGE}",
    "detach off, short": f"docker run -d=f --name service {IMAGE}",
    "no name": f"docker run -d {IMAGE}",
    "two names": f"docker run -d --name service --name other {IMAGE}",
    "the same name twice": f"docker run -d --name service --name=service {IMAGE}",
    "empty name": f"docker run -d --name= {IMAGE}",
    "name with a slash": f"docker run -d --name /service {IMAGE}",
    "name of one letter": f"docker run -d --name s {IMAGE}",
    "name is an option": f"docker run -d --name --init {IMAGE}",
    "attached": f"docker run -d -a stdout --name service {IMAGE}",
    "help": f"docker run -d --help --name service {IMAGE}",
    "missing value": "docker run -d --name service --env",
    "missing value, short": "docker run -d --name service -e",
    "unknown option": made("--prviileged"),
    "shortened option": made("--privilege"),
    "another case": made("--Init"),
    "underscore": made("--shm_size=1g"),
    "unknown letter": made("-z"),
    "unknown letter among others": made("-tzi"),
    "three dashes": made("---init"),
    "nameless": made("--=x"),
    "what pflag skips": made("-test.v"),
    "what pflag skips, joined": made("-dtest.v=1"),
    "neither on nor off": made("--init=yes"),
    "on in another case": made("--init=tRUE"),
    "empty flag": made("--init="),
    "empty flag, short": made("-t="),
    "a lone dash": made("-"),
    "an empty word": made(""),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_docker_run_of_the_image_is_never_started(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text, IMAGE)
    message = str(refused.value.message)
    assert refused.value.code == 1
    assert message.isprintable() and "--from-settings" in message and f"inv labels --image {IMAGE}" in message


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("busybox", "busybox:latest"),
        ("busybox:latest", "busybox"),
        ("library/busybox:1", "busybox:1"),
        ("docker.io/busybox:1", "busybox:1"),
        ("docker.io/library/busybox:1", "busybox:1"),
        ("index.docker.io/library/busybox:1", "busybox:1"),
        ("docker.io/" + IMAGE, IMAGE),
        ("index.docker.io/" + IMAGE, "docker.io/" + IMAGE),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("a@sha256:" + "0" * 64, "a@sha256:" + "0" * 64),
    ],
)
def test_one_image_under_its_several_names(written: str, image: str) -> None:
    assert parse(made(image=written), image).image == written


@pytest.mark.parametrize(
    "written",
    [
        "colorai/cauchycv_visdom:0.2.8", "colorai/cauchycv_visdom", "cauchycv_visdom:0.2.7", "evil/cauchycv_visdom",
        "evil.io/" + IMAGE, "localhost/" + IMAGE, "docker.io/docker.io/" + IMAGE, "library/" + IMAGE, IMAGE + ":0.2.7",
        IMAGE + "@sha256:" + "0" * 64, "COLORAI/cauchycv_visdom:0.2.7", "colorai/cauchycv_visdom:", "c0ba8388e797",
    ],
)  # fmt: skip
def test_another_image_is_refused(written: str) -> None:
    assert "instead of the image itself" in reason(made(image=written))
    assert "instead of the image itself" in reason(made(image=f"'{IMAGE} '"))


# Each of these is off limits: in every spelling, wherever it stands among other options.
DANGERS = {
    word: shlex.split(word)
    for word in r"""
--privileged
--privileged=1
--privileged=T
--privileged=false --privileged
-i
--interactive
-it
-itd
-ti=true
-P
--publish-all
--rm
--rm=true
--oom-kill-disable
--use-api-socket
-q
--sig-proxy=1
--disable-content-trust=false
--detach-keys=ctrl-a
--pid host
--pid=container:other
--ipc=host
--uts host
--userns=host
--cgroupns host
--cgroup-parent=/
--cap-add SYS_ADMIN
--cap-add=ALL
--cap-drop ALL
--security-opt seccomp=unconfined
--security-opt=apparmor=unconfined
--device /dev/sda
--device=/dev/kmsg:/dev/x:rwm
--device-cgroup-rule 'a *:* rwm'
--device-read-bps=/dev/sda:1
--env-file /etc/shadow
--env-file=/etc/shadow
--cidfile /etc/cron.d/x
--cidfile=x
--label-file=/etc/shadow
--volumes-from other
--volume-driver=evil
--entrypoint sh
--entrypoint=
--add-host=a:1.2.3.4
--dns 1.2.3.4
--dns-opt=x
--dns-option x
--dns-search=x
--link other
--net-alias=x
--network-alias x
--ip 1.2.3.4
--mac-address=92:d0:c6:0a:29:33
--platform linux/arm64
--pull always
--sysctl net.core.somaxconn=1
--group-add docker
--storage-opt size=1
--isolation=process
--annotation a=b
--domainname x
--cpu-rt-runtime 1
-v /:/host
-v/:/host
-v=/:/host
-tv /:/host
-dtv/:/host
--volume /:/host
--volume=/etc:/etc
--volume /data/../etc:/x
--volume /data/..:/x
--volume //etc:/x
--volume /data/.././etc/:/x
--volume /database:/x
--volume /data2/x:/x:ro
--volume /var/run/docker.sock:/var/run/docker.sock
--volume /run/docker.sock:/s
--volume /data/docker.sock:/s
--volume /data/run/containerd.sock:/s
--volume data:data
--volume relative
--volume ./x:/x
--volume ../data:/x
--volume ~/x:/x
--volume '$HOME:/x'
--volume /data:/data:shared
--volume /data:/data:rw,rshared
--volume /data:/data:rslave
--volume /data:/data:Z
--volume /data:/data:z
--volume /data:/data:rw,ro
--volume /data:/data:RO
--volume /data:/data:
--volume :/data
--volume a:/x
--volume 'a b:/x'
--volume C:/x:/y
--volume /data:/a:ro:/b
--volume=
-v /data:/data -v /etc:/etc
-v /etc:/etc -v /data:/data
--mount type=bind,source=/,target=/x
--mount type=bind,src=/etc,dst=/x
--mount=type=bind,source=/data/../etc,destination=/x
--mount type=bind,target=/x
--mount type=bind,source=x,target=/x
--mount type=bind,source=./x,target=/x
--mount type=bind,source=/data/docker.sock,target=/x
--mount type=bind,source=/data,source=/etc,target=/x
--mount type=bind,src=/data,source=/etc,target=/x
--mount type=bind,source=/data,target=/x,dst=/y
--mount type=volume,type=bind,source=/data,target=/x
--mount TYPE=bind,source=/,target=/x
--mount type=volume,Type=bind,source=name,target=/x
--mount type=BIND,source=/,target=/x
--mount type=Bind,source=/data,target=/x
--mount 'type=bind,"source=/etc",target=/x'
--mount 'type=bind,source=/data,"source=/etc",target=/x'
--mount 'type=bind,so"urce=/etc,target=/x'
--mount 'type=bind,"source=/da""ta",target=/x'
--mount 'type=bind, source=/data,target=/x'
--mount type=bind,source=/data,target=/x,bind-propagation=shared
--mount type=bind,source=/data,target=/x,bind-propagation=rslave
--mount type=bind,source=/data,target=x
--mount type=bind,source=/data
--mount type=bind,source,target=/x
--mount type=volume,source=/etc,target=/x
--mount type=volume,source=name,target=/x,volume-driver=local
--mount type=volume,source=name,target=/x,volume-opt=type=none,volume-opt=device=/,volume-opt=o=bind
--mount type=volume,source=name,target=/x,volume-subpath=..
--mount type=volume,source=name,target=/x,volume-label=a=b
--mount type=tmpfs,source=/etc,target=/x
--mount type=npipe,source=x,target=/x
--mount type=cluster,source=x,target=/x
--mount type=image,source=evil,target=/x
--mount type=,source=x,target=/x
--mount source=/etc,target=/x
--mount type=bind,source=/data,target=/x,consistency=cached
--mount type=bind,source=/data,target=/x,
--mount=
--network container:other
--net container:other
--net=container:0123
--network name=host
--network=name=x,driver-opt=a=b
--network host,x
--network ns:/proc/1/ns/net
--network=
--network one --network two
-e SECRET
--env=SECRET
-eSECRET
-e =x
-e ''
--env A=b --env SECRET
-l com.colorai.stack.tree=x
--label org.label-schema.name=x
--label=org.opencontainers.image.version=x
--label ' com.colorai.stack.tree=x'
--label com.colorai.stack.tree
-p x
-p 80:x
-p 1.2.3.4:x:80
-p evil.io:80:80
-p 80:80/icmp
-p 80:80/tcp/udp
-p 99999:80
-p 9-8:9-8
-p 80-82:80-81
-p 1-2-3:1-3
-p published=80,target=80
-p ٣:٣
-p '80 :80'
-p=
--restart sometimes
--restart=always:3
--restart=on-failure:x
--restart ''
--gpus 'all;x'
--gpus=/dev/sda
--runtime ../../evil
--runtime /usr/bin/evil
--runtime=
--ulimit nofile
--ulimit nofile=x
--ulimit nofile=1:2:3
--log-driver syslog
--log-driver=gelf
--log-driver fluentd
--log-driver splunk
--log-driver awslogs
--log-driver gcplogs
--log-driver evil
--log-driver syslog --log-driver local
--log-opt syslog-address=tcp://evil:514
--log-opt gelf-address=udp://evil:1
--log-opt fluentd-address=evil
--log-opt max-size
--tmpfs relative
--tmpfs /x:a:b
--tmpfs=
--stop-timeout -1
--stop-timeout=99999
""".strip().splitlines()
}


@pytest.mark.parametrize("words", DANGERS.values(), ids=DANGERS.keys())
def test_what_is_off_limits_is_refused(words: list[str]) -> None:
    read = parse(made(*words), IMAGE)  # docker would read it, and --trust may run it
    found = unusual(read, ALLOW, "/data", local=False)
    assert found and all(sentence.startswith("--") and sentence.isprintable() for sentence in found)
    assert "--trust" in reason(made(*words))


HARMLESS = {
    word: shlex.split(word)
    for word in r"""
-v /data:/data
-v /data/:/x
--volume /data/projects:/projects:ro
--volume //data/./a//b/../c:/x:rw
--volume /data/..data:/x
--volume /anonymous
--volume named_volume:/x
--volume named.volume-1:/x:ro
--mount type=bind,source=/data,target=/data
--mount type=bind,src=/data/a,dst=/x,readonly
--mount type=bind,src=/data/a,destination=/x,ro=true,bind-propagation=rprivate
--mount 'type=bind,"source=/data/a,b",target=/x'
--mount 'type=bind,source=/data,"target=/a ""b"" c"'
--mount type=bind,source=/data,target=/x,bind-nonrecursive
--mount type=volume,source=named,target=/x,volume-nocopy
--mount target=/x
--mount type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=700
--network host
--network none
--network bridge
--network default
--net my-network_1.a
-e A=b
-e A=
-e 'A=b c = "d" $HOME `id`'
-l a=b
--label alone
--label com.colorai.stackless=1
-p 80
-p 8339:8339
-p 127.0.0.1:8339:8339/tcp
-p '[::1]:8339:8339'
-p '[::]::8339/udp'
-p 127.0.0.1::80
-p 8000-8002:80-82
-p 8000-8010:80
-p :80
--restart no
--restart on-failure
--restart=on-failure:5
--restart always
--gpus all
--gpus '"device=0,1"'
--gpus device=GPU-1a2b,capabilities=utility
--runtime nvidia
--runtime=io.containerd.runc.v2
--ulimit nofile=1024
--ulimit nofile=1024:2048 --ulimit core=-1
--log-driver json-file --log-opt max-size=10m --log-opt max-file=3
--log-driver none
--tmpfs /tmp
--tmpfs /tmp:rw,noexec,size=64m,mode=1777
--stop-timeout 30
--user 1000:1000 -w /x -h host
--health-cmd 'curl -f localhost || exit 1' --health-interval=5s
--no-healthcheck
--read-only --init --tty
""".strip().splitlines()
}


@pytest.mark.parametrize("words", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_harmless_is_accepted(words: list[str]) -> None:
    accepted(*words)


def test_an_allowed_option_is_only_allowed_with_a_harmless_value() -> None:
    everything = docker_run.FLAGS | docker_run.VALUES
    assert not unusual(parse(made("--privileged", "--pid=host"), IMAGE), everything, "/data")
    assert unusual(parse(made("-v/:/x"), IMAGE), everything, "/data") == ["--volume /:/x is not under /data"]
    assert unusual(parse(made("--init"), IMAGE), [], "/data") == ["--init is not on the list start.allow"]


def test_the_message_names_the_first_thing_and_counts_the_rest() -> None:
    message = reason(made("--privileged", "-v/:/x", "--pid=host"))
    assert "--privileged is not on the list start.allow (and 2 more); to see it and decide, add --trust." in message
    assert len(reason(made("--env", "X" * 5000))) < 300


def test_symbolic_links_are_followed_where_the_engine_is_on_this_host(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "inside").mkdir(parents=True)
    (data / "out").symlink_to("/etc")
    (data / "up").symlink_to("../elsewhere")
    (data / "in").symlink_to("inside")
    (data / "loop").symlink_to("loop")
    (data / "file.sock").symlink_to("docker.sock")
    for name in ("inside", "in", "new", "new/deeper", "in/new"):
        check(made("-v", f"{data}/{name}:/x"), IMAGE, ALLOW, str(data))
    for name in ("out", "out/cron.d", "up", "in/../out"):
        for words in (["-v", f"{data}/{name}:/x"], ["--mount", f"type=bind,source={data}/{name},target=/x"]):
            assert "by a symbolic link" in reason(made(*words), str(data), local=True)
            check(made(*words), IMAGE, ALLOW, str(data), local=False)  # another host's links cannot be seen
    assert "socket" in reason(made("-v", f"{data}/file.sock:/x"), str(data), local=True)
    parse(made("-v", f"{data}/loop:/x"), IMAGE)


def test_a_data_directory_that_is_a_link_itself_or_written_loosely(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")
    check(made("-v", f"{tmp_path}/data/x:/x"), IMAGE, ALLOW, f"{tmp_path}//data/", local=True)
    assert "not under" in reason(made("-v", f"{tmp_path}/disk:/x"), f"{tmp_path}/data", local=True)


def test_ports_and_binds() -> None:
    ports = ["-p8339:80", "-p", "127.0.0.1:9000-9002:1-3", "-p80", "-p53:53/udp", "-p", "[::1]:7:7", "-p1-9:9", "-p0:5"]
    assert parse(made(*ports, "-p", "garbage"), IMAGE).ports() == (7, 8339, 9000, 9001, 9002)
    binds = [
        "-v//data/../etc/:/x",
        "--mount",
        "type=bind,src=/data/./a,dst=/b",
        "-vnamed:/n",
        "-v/anon",
        "--mount=garbage",
    ]
    assert parse(made(*binds), IMAGE).binds() == ("/etc", "/data/a")


# ---------------------------------------------------------------- made labels

VALUES: dict[str, list[str]] = {
    "cpu-shares": ["512", "0"], "cpus": ["0.5", "1"], "cpuset-cpus": ["0", "0-1"],
    "env": ["A=b", "A=", "B= c $X", "-=-"],
    "expose": ["80", "80-82/udp"], "health-cmd": ["true", "exit 1 || -d"], "health-interval": ["1s", "2m"],
    "health-retries": ["3"], "health-timeout": ["1s"], "hostname": ["host", "a.b"],
    "label": ["a=b", "c", "d=--privileged"],
    "log-driver": ["json-file", "local", "none"], "log-opt": ["max-size=1m", "max-file=2"], "memory": ["64m", "1g"],
    "memory-reservation": ["16m"], "memory-swap": ["-1", "2g"],
    "mount": ["type=tmpfs,target=/t", "type=volume,dst=/v,source=vol1", 'type=bind,"src=/data",dst=/m', "dst=/a,ro=0"],
    "network": ["host", "none", "bridge", "default"], "oom-score-adj": ["10", "-5"], "pids-limit": ["-1", "100"],
    "publish": ["8339:8339", "127.0.0.1:81:81/tcp", "82-84:82-84", "85", "[::1]:86:86/udp", "90-99:9"],
    "restart": ["no", "always", "unless-stopped", "on-failure:3"], "runtime": ["runc"], "shm-size": ["2g", "64m"],
    "stop-signal": ["SIGINT", "9"], "stop-timeout": ["5"], "tmpfs": ["/tmp", "/tmp:size=1m,noexec"],
    "ulimit": ["nofile=64:128", "memlock=-1", "core=0"], "user": ["1000", "0:0"],
    "volume": ["/data:/data", "/data//x/../y:/x:ro", "vol2:/y", "/anonymous"], "workdir": ["/", "/x"],
}  # fmt: skip
FLAGS = ["init", "no-healthcheck", "read-only", "tty"]
LETTERS = {
    "cpu-shares": "c", "env": "e", "hostname": "h", "label": "l", "memory": "m", "publish": "p", "user": "u",
    "volume": "v", "workdir": "w", "tty": "t",
}  # fmt: skip
Words = list[str]


@st.composite
def options(draw: st.DrawFn) -> Words:
    """One harmless option in any of its spellings."""
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(FLAGS))
        off_or_on = draw(st.sampled_from(["", "", "=1", "=t", "=T", "=TRUE", "=true", "=True", "=0", "=F", "=False"]))
        return [f"-t{off_or_on}" if name == "tty" and draw(st.booleans()) else f"--{name}{off_or_on}"]
    name = draw(st.sampled_from(sorted(VALUES)))
    value = draw(st.sampled_from(VALUES[name]))
    written = {"network": "net"}.get(name, name) if draw(st.booleans()) else name
    spellings = [[f"--{written}", value], [f"--{written}={value}"]]
    if name in LETTERS:
        letter = draw(st.sampled_from(["-", "-t"])) + LETTERS[name]
        spellings += [[letter, value], [letter + value], [f"{letter}={value}"]]
    return draw(st.sampled_from(spellings))


def among(draw: st.DrawFn, middle: list[Words]) -> tuple[Words, Words]:
    """A whole command line with some words among its options, once for docker run and once for docker create."""
    parts = [(words, words) for words in [*draw(st.lists(options(), max_size=6)), *middle]]
    name = draw(st.sampled_from([["--name", "service"], ["--name=service"]]))
    parts += [(name, []), draw(st.sampled_from([(["-d"], []), (["--detach"], []), (["-td"], ["-t"]), (["-d=t"], [])]))]
    parts = draw(st.permutations(parts))
    end = draw(st.sampled_from([[], ["--"]]))
    run, create = ([word for part in parts for word in part[side]] + end for side in (0, 1))
    return run, create


@st.composite
def harmless(draw: st.DrawFn) -> tuple[str, Words]:
    """A harmless label, and the same options for docker create."""
    run, create = among(draw, [])
    start = draw(st.sampled_from(["docker run", "docker  container run"]))
    command = draw(st.lists(st.sampled_from(["--init", "-v", "/:/x", "--", "", "a b", "$(id)", "'"]), max_size=3))
    return f"{start} {shlex.join([*run, IMAGE, *command])}", create


@st.composite
def dangerous(draw: st.DrawFn) -> str:
    """A label that is harmless but for one thing."""
    run, _ = among(draw, [draw(st.sampled_from(sorted(DANGERS.values())))])
    return shlex.join(["docker", "run", *run, IMAGE])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A harmless label in which some characters or words were changed."""
    text, _ = draw(harmless())
    pieces = list(text) if draw(st.booleans()) else re.split("( )", text)
    new = [
        "",
        " ",
        "-",
        "--",
        "=",
        ":",
        "/",
        "..",
        ",",
        "'",
        '"',
        "\\",
        "v",
        "/etc",
        "--privileged",
        "-v/:/x",
        "0",
        "é",
        "\n",
    ]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(pieces) - 1))
        if draw(st.booleans()):
            pieces[place] = draw(st.sampled_from([*new, pieces[draw(st.integers(0, len(pieces) - 1))]]))
        else:
            pieces.insert(place, draw(st.sampled_from(new)))
    return "".join(pieces)


def judge(text: str, read: Recommended) -> None:
    """Judge an accepted label by other means than the code under test: getopt, Python's csv, and paths by hand."""
    for argument in read.arguments():
        name, _, value = argument.removeprefix("--").partition("=")
        assert name in ALLOW - {"name", "detach"}, argument
        if name == "volume":
            assert ":" not in value or not value.startswith("/") or inside(value.split(":")[0]), argument
            assert ":" not in value or value.startswith("/") or "/" not in value.split(":")[0], argument
            assert value.split(":", 2)[2:] in ([], ["ro"], ["rw"]), argument
        if name == "mount":
            pairs = [field.lower().partition("=")[::2] for field in next(csv.reader([value], strict=True))]
            assert dict(pairs).get("type", "volume") in ("bind", "volume", "tmpfs"), argument
            assert all(inside(path) for key, path in pairs if key in ("source", "src") and "/" in path), argument
            assert not re.search("(driver|opt|subpath|shared|slave)", "".join(key + "=" for key, _ in pairs)), argument
        assert name != "network" or re.search("[^A-Za-z0-9_.-]", value) is None
        assert name != "env" or "=" in value[1:]
        assert name != "label" or "com.colorai" not in value
    words = shlex.split(text)
    words = words[words.index("run") + 1 :]
    flags = "detach disable-content-trust help init interactive no-healthcheck privileged publish-all read-only rm tty"
    try:
        pairs, rest = getopt.getopt(
            words, "a:c:de:h:il:m:p:Pqtu:v:w:", [*flags.split(), "net=", "name=", *(f"{name}=" for name in VALUES)]
        )
    except getopt.GetoptError:  # it cannot read --init=true
        return
    letters = {f"-{letter}": name for name, letter in LETTERS.items()}
    seen = [
        Option(
            {"net": "network"}.get(name, name), value[1:] if len(dashed) == 2 and value[:1] == "=" != value else value
        )
        for dashed, value in pairs
        if (name := letters.get(dashed, dashed).lstrip("-")) not in ("d", "detach", "name", *FLAGS)
    ]
    assert [option for option in read.options if option.name not in FLAGS] == seen
    assert rest == [read.image, *read.command]


def inside(path: str) -> bool:
    """Whether a path lies under /data, walked step by step."""
    steps: Words = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return path.startswith("/") and steps[:1] == ["data"]


MANY = settings(max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@MANY
@given(harmless())
def test_made_labels_without_danger_are_accepted(made_label: tuple[str, Words]) -> None:
    text, _ = made_label
    networks = re.findall(r"--net(?:work)?[ =]", text.split(IMAGE)[0])
    if len(networks) > 1:
        assert "more than once" in reason(text)
    else:
        judge(text, check(text, IMAGE, ALLOW, "/data", local=False))


@MANY
@given(dangerous())
def test_made_labels_with_one_danger_are_refused(text: str) -> None:
    reason(text)


def test_mutated_labels_are_refused_or_harmless() -> None:
    judged: list[bool] = []

    @settings(MANY, max_examples=2000)
    @given(mutated())
    def look(text: str) -> None:
        try:
            read = check(text, IMAGE, ALLOW, "/data", local=False)
        except Refused as refused:
            assert str(refused.message).isprintable()
            judged.append(False)
        else:
            judge(text, read)
            judged.append(True)

    look()
    assert 100 < sum(judged) < len(judged) - 100  # else this test says nothing


@MANY
@given(
    st.text() | st.text().map("docker run -d --name service ".__add__) | st.binary().map(lambda b: b.decode("latin-1"))
)
def test_no_text_at_all_makes_it_stumble(text: str) -> None:
    reason(text)


@MANY
@given(st.sampled_from(["volume", "mount", "publish", "env", "gpus", "network", "log-opt", "tmpfs"]), st.text())
def test_no_value_makes_it_stumble(name: str, value: str) -> None:
    text = made(f"--{name}={value}")
    try:
        read = parse(text, IMAGE)
    except Refused:
        return
    assert (read.ports(), read.binds()) is not None
    for sentence in unusual(read, ALLOW, "/data", local=True):
        assert sentence.isprintable()


# ---------------------------------------------------------------- docker's own eyes


def test_the_table_of_options_is_that_of_the_client(engine: Any) -> None:
    lines = engine.docker("run", "--help").stdout
    listed = re.findall(r"^ +(?:-(\w), )?--([a-z0-9-]+)( [a-z0-9-]+)?(?=  |$)", lines, re.MULTILINE)
    assert len(listed) > 90
    for letter, name, kind in listed:
        assert name in (docker_run.VALUES if kind else docker_run.FLAGS), name
        assert docker_run.SHORT.get(letter, name) == name
    assert {letter for letter, _, _ in listed} - {""} >= docker_run.SHORT.keys() - {"q"}  # -q came with client 24


def test_every_hidden_option_is_one_that_the_client_knows(engine: Any) -> None:
    shown = engine.docker("run", "--help").stdout
    hidden = [name for name in ["net", "net-alias", "dns-opt", "cpu-count", "io-maxiops"] if f"--{name} " not in shown]
    assert hidden
    for name in hidden:
        answer = engine.docker("create", f"--{name}", check=False).stderr
        assert "flag needs an argument" in answer and docker_run.ALIASES.get(name, name) in docker_run.VALUES


Container = dict[str, Any]


def essence(container: Container) -> Container:
    """What docker understood: all that can be inspected but the identity, in an order of its own.

    The client reads volumes and variables out of Go's maps, so their order is never the same twice.
    """
    text = json.dumps({key: container[key] for key in ("Config", "HostConfig", "Mounts", "Path", "Args")})
    text = text.replace(container["Id"][:12], "ID")
    text = re.sub(r"\b[0-9a-f]{64}\b", "ANONYMOUS", text)
    found: Container = json.loads(text)
    found["Networks"] = sorted(container["NetworkSettings"]["Networks"])
    found["Mounts"].sort(key=lambda mount: str(mount["Destination"]))
    for part, key in (("Config", "Env"), ("HostConfig", "Binds"), ("HostConfig", "Ulimits")):
        found[part][key] = sorted(found[part].get(key) or [], key=str)
    return found


def compared(engine: Any, samples: list[tuple[Words, Recommended]]) -> list[bool]:
    """Whether docker took each sample: as it was written, and as it was read. Both must come to the same."""
    lines: dict[str, Words] = {}
    for words, read in samples:
        for line in (words, [*read.arguments(), read.image, *read.command]):
            lines[f"recommended-{uuid.uuid4().hex}"] = line
    try:
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda name: engine.docker("create", "--name", name, *lines[name], check=False), lines)
            taken = [answer.returncode == 0 for answer in answers]
        present = [name for name, there in zip(lines, taken, strict=True) if there]
        listed = json.loads(engine.docker("container", "inspect", *present).stdout)
        found = {container["Name"].lstrip("/"): essence(container) for container in listed}
        understood = [found.get(name) for name in lines]
        for one, other, sample in zip(understood[::2], understood[1::2], samples, strict=True):
            assert one == other, sample
    finally:
        engine.docker("rm", "--force", "--volumes", *lines, check=False)  # also those that were never there
        engine.docker(
            "volume", "rm", "--force", "vol1", "vol2", "name", "named", "named_volume", "named.volume-1", check=False
        )
    return taken[::2]


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Some examples of a strategy, the same at every run."""
    found: list[Any] = []
    keep: Callable[[Any], None] = found.append

    @settings(MANY, max_examples=count, derandomize=True)
    @given(strategy)
    def collect(example: Any) -> None:
        keep(example)

    collect()
    return found


def test_docker_sees_the_options_that_were_checked(engine: Any, tiny: str) -> None:
    samples = []
    for text, create in drawn(harmless(), 80):
        read = parse(text.replace(IMAGE, tiny), tiny)
        samples.append(([*create, tiny, *read.command], read))
    taken = compared(engine, samples)
    assert (
        sum(taken) > 20
    )  # some contradict themselves, as --no-healthcheck with --health-cmd: docker takes neither form


def test_docker_reads_each_harmless_option_alike(engine: Any, tiny: str) -> None:
    samples = [
        ([*words, tiny, "sleep", "9"], parse(made(*words, image=tiny), tiny))
        for key, words in HARMLESS.items()
        if not any(word in key for word in ("nvidia", "my-network", "--gpus", "io.containerd"))  # not on every engine
    ]
    taken = compared(engine, samples)
    refused = [
        key
        for key, taken_too in zip([" ".join(words[:-3]) for words, _ in samples], taken, strict=True)
        if not taken_too
    ]
    assert len(refused) <= 8, refused  # bind mounts of folders that this host has not


def test_docker_reads_each_dangerous_option_alike(engine: Any, tiny: str) -> None:
    """What --trust runs is what was shown: nothing is started here, only created."""
    left_out = {
        *("detach", "detach-keys", "sig-proxy"),  # docker create has none of these
        *("cidfile", "platform", "pull", "use-api-socket", "volume-driver"),  # these act at once, or wait for a network
    }
    samples = []
    for words in DANGERS.values():
        read = parse(made(*words, image=tiny), tiny)
        if not {option.name for option in docker_run.options_of(words)[0]} & left_out and "evil" not in words:
            samples.append(([*words, tiny, "sleep", "9"], read))
    taken = compared(engine, samples)
    assert 40 < sum(taken) < len(taken) - 20
