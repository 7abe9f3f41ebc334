"""The recommended command is hostile until checked: how it is read, and what is never started."""

import subprocess

import pytest
from recommended.samples import IMAGE, REPLACED, accepted, allowed, made, refusal

from tasks.recommended.command import Refused, check, parse
from tasks.recommended.splitting import split


def test_the_command_of_the_old_scripts_is_safe_to_run() -> None:
    read = check(REPLACED, IMAGE, allowed())
    assert read.name == "cauchy_service"
    assert read.image == IMAGE
    assert read.command == ("python", "cauchy_services.py", "--port", "8339")
    assert read.arguments() == [
        "--restart=unless-stopped",
        "--volume=/data:/data",
        "--network=host",
        "--hostname=colorai",
        "--runtime=nvidia",
        "--shm-size=2g",
        "--ulimit=memlock=-1",
        "--ulimit=stack=67108864",
    ]
    assert (read.network, read.binds(), read.ports()) == ("host", ("/data",), ())
    assert read.values("ulimit") == ("memlock=-1", "stack=67108864")
    assert read.without("restart", "network", "ulimit").arguments() == [
        "--volume=/data:/data",
        "--hostname=colorai",
        "--runtime=nvidia",
        "--shm-size=2g",
    ]


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
    text = f"docker run -d --name service {IMAGE} --privileged -v /:/host -- '$(id)' '*' ';'"
    command = check(text, IMAGE, allowed()).command
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
    "a variable": made() + " --password $DB_PASSWORD",
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


REPLACED_PIECES = ["$DB_PASSWORD", "${DB_PASSWORD}", "${A:?}", "$(hostname)", "$(cat a b)", "`id -u`", "$1", "$$", "$?"]


@pytest.mark.parametrize("piece", REPLACED_PIECES)
def test_what_a_shell_would_replace_is_refused_and_named(piece: str) -> None:
    for written in (f"A={piece}", f'"A={piece}"', f'A="x y"{piece}', f"'a'\"{piece}\"'b'", f"\\\\{piece}"):
        for text in (f"docker run -d --name service --env {written} {IMAGE}", f"{REPLACED} {written}"):
            assert f"holds {piece}, which a shell would replace" in refusal(text)
    kept = accepted("--env", f"A={piece}").values("env")  # in single quotes
    assert kept == (f"A={piece}",)


@pytest.mark.parametrize("operator", [";", "&", "&&", "|", "||", ">", ">>", "<", "<<", ">&", "&>", "(", ")", ";;"])
def test_what_a_shell_would_act_on_is_refused_unless_it_is_quoted(operator: str) -> None:
    for written in (f"a {operator} b", f"a{operator}b", f"'a'{operator}\"b\"", operator):
        assert f"holds {operator} outside quotes, which a shell would act on" in refusal(f"{REPLACED} {written}")
    assert f"holds {operator} outside" in refusal(f"docker run -d --name service --env A=1{operator}2 {IMAGE}")
    assert accepted("--env", f"A=1{operator}2").values("env") == (f"A=1{operator}2",)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a 'b c' \"d e\"f", ["a", "b c", "d ef"]),
        (r"a\ b \$HOME \`id\` \' \\", ["a b", "$HOME", "`id`", "'", "\\"]),
        (r'"\$HOME \`id\` \" \\ \n"', ['$HOME `id` " \\ \\n']),
        ("'\\' '$HOME' '' \"\" a''", ["\\", "$HOME", "", "", "a"]),
        ("5$ $ a=$/b $.", ["5$", "$", "a=$/b", "$."]),
        ("--opt=*.x ~ # a';'b", ["--opt=*.x", "~", "#", "a;b"]),
        (r"""';' \| \&\& ">" 2'>&'1 \(x\)""", [";", "|", "&&", ">", "2>&1", "(x)"]),
    ],
)
def test_a_text_is_split_as_a_shell_splits_it(written: str, words: list[str]) -> None:
    assert split(written) == words
    shell = subprocess.run(["sh", "-c", f"set -f; printf '%s\\n' {written}"], capture_output=True, text=True)
    assert shell.stdout.splitlines() == words or set("~#") & set(written), shell


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
        "colorai/cauchycv_visdom:0.2.8",
        "colorai/cauchycv_visdom",
        "cauchycv_visdom:0.2.7",
        "evil/cauchycv_visdom",
        "evil.io/" + IMAGE,
        "localhost/" + IMAGE,
        "docker.io/docker.io/" + IMAGE,
        "library/" + IMAGE,
        IMAGE + ":0.2.7",
        IMAGE + "@sha256:" + "0" * 64,
        "COLORAI/cauchycv_visdom:0.2.7",
        "colorai/cauchycv_visdom:",
        "c0ba8388e797",
    ],
)
def test_another_image_is_refused(written: str) -> None:
    assert "instead of the image itself" in refusal(made(image=written))
    assert "instead of the image itself" in refusal(made(image=f"'{IMAGE} '"))


def test_ports_and_binds() -> None:
    ports = ["-p8339:80", "-p", "127.0.0.1:9000-9002:1-3", "-p80", "-p53:53/udp", "-p", "[::1]:7:7", "-p1-9:9", "-p0:5"]
    local = [("127.0.0.1", number) for number in (9000, 9001, 9002)]
    assert parse(made(*ports, "-p", "garbage"), IMAGE).ports() == (("", 8339), *local, ("::1", 7))
    binds = [
        "-v//data/../etc/:/x",
        "--mount",
        "type=bind,src=/data/./a,dst=/b",
        "-vnamed:/n",
        "-v/anon",
        "--mount=garbage",
    ]
    assert parse(made(*binds), IMAGE).binds() == ("/etc", "/data/a")
