"""The settings: what is wrong in them is said in a sentence that names the setting, its file, and what was expected."""

import sys
from pathlib import Path
from typing import Any

import pytest
from invoke import Context, Exit
from projects import PROGRAM_FILE, copy, inv, run
from ruamel.yaml import YAML
from sites import ROOT

from tasks.program.config import StackConfig, prepare
from tasks.settings.load import load as load_task
from tasks.settings.model import Settings

GONE = object()


def write(path: Path, values: Any) -> Path:
    with open(path, "w") as file:
        YAML().dump(values, file)
    return path


def nested(key: str, value: Any) -> dict[str, Any]:
    """`nested("a.b", 1)` is `{"a": {"b": 1}}`."""
    for part in reversed(key.split(".")):
        value = {part: value}
    found: dict[str, Any] = value
    return found


def load(file: Path | None = None) -> Settings:
    """The settings as a task gets them: invoke.yaml, then a file named with -f, then the environment."""
    config = StackConfig(project_location=ROOT, runtime_path=file)
    config.load_project(merge=False)
    config.load_runtime()
    config.load_shell_env()
    c = Context(config)
    prepare(c)
    return load_task(c)


def refused(file: Path | None = None) -> str:
    with pytest.raises(Exit) as caught:
        load(file)
    assert caught.value.code == 2
    message = caught.value.message or ""
    assert len(message.splitlines()) == 1 and "regex" not in message
    return message


def test_the_projects_own_settings_are_those_of_the_team() -> None:
    found = load()
    frame = found.frame()
    assert (found.series, found.data, found.base.image) == ("0.2", "/data", "colorai/cauchycv_base")
    assert (frame.image, frame.service, frame.port) == ("colorai/cauchycv_visdom", "cauchy_service", 8339)
    assert frame.command == ("python", "cauchy_services.py", "--port", "8339")
    assert found.path("docker/framework") == ROOT / "docker/framework"
    assert found.path("/elsewhere") == Path("/elsewhere")


V = "frames.visdom"
WRONG = {
    "series": (0.2, 'expected text, found 0.2. Write it in quotes: "0.2"'),
    "vendor": (True, 'expected text, found true. Write it in quotes: "true"'),
    "url": (None, "expected text, found nothing."),
    "start.env_files": (["a.env"], 'expected a file\'s whole path, such as /etc/cauchycv.env, found "a.env".'),
    "data": ("data", 'expected a folder\'s whole path, such as /data, without a colon, found "data".'),
    "frames": ({}, "expected at least one frame, found nothing."),
    "base.parent": ("--option", 'expected an image\'s name, such as ufoym/deepo:pytorch-py36-cu90, found "--option".'),
    "base.build_options": ("--no-cache", 'expected a list, such as [a, b], found "--no-cache".'),
    "base.image": (
        "base:latest",
        'expected an image\'s name in small letters and without a tag, such as colorai/base, found "base:latest".',
    ),
    f"{V}.port": ("8339", 'expected a whole number, found "8339".'),
    f"{V}.command": (["python", 8339], 'expected text, found 8339. Write it in quotes: "8339"'),
    f"{V}.build_args": ({"fine": "1", "A": 1.5}, 'expected text, found 1.5. Write it in quotes: "1.5"'),
    f"{V}.service": (
        "a b",
        'expected a name of letters, digits, dots, dashes and underscores, at least two, found "a b".',
    ),
    "start.timeout": (0, "expected more than 0 seconds, found 0."),
    "start.settle": (float("inf"), "expected at most a day, 86400 seconds, found .inf."),
    "start.keep": (-1, "expected 0 or a greater whole number, found -1."),
    "start.rehearse": ("maybe", 'expected true or false, found "maybe".'),
    "start.rehearsal_network": (
        "host",
        'expected none, or the name of a docker network other than host, found "host".',
    ),
}
INSIDE = {"start.env_files": "[0]", f"{V}.command": "[1]", f"{V}.build_args": ".A"}  # which part of the value is wrong


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_value_is_named_with_its_file_and_what_was_expected(key: str, tmp_path: Path) -> None:
    value, sentence = WRONG[key]
    project = write(tmp_path / "project.yaml", {"stack": own()})
    file = write(tmp_path / "site.yaml", nested(f"stack.{key}", value))
    config = StackConfig(runtime_path=file)
    config._set(_project=YAML(typ="safe").load(project.read_text()), _project_path=str(project), _project_found=True)
    if value == {}:
        config._project["stack"].pop(key)  # Invoke merges sections: an empty one takes nothing away
    config.load_runtime()
    c = Context(config)
    prepare(c)
    with pytest.raises(Exit) as caught:
        load_task(c)
    assert caught.value.message == f"Setting stack.{key}{INSIDE.get(key, '')} in {file}: {sentence}"
    assert caught.value.code == 2


def own() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((ROOT / "invoke.yaml").read_text())["stack"]
    return found


@pytest.mark.parametrize(
    "image", ["two words", "a;reboot", "$(reboot)", "a'b", "-v", "a\nb", "Upper", "a/../b", "", "a//b", "café"]
)
def test_a_name_that_docker_would_not_take_is_refused(image: str, tmp_path: Path) -> None:
    assert f"Setting stack.{V}.image in {tmp_path}" in refused(
        write(tmp_path / "f.yaml", nested(f"stack.{V}.image", image))
    )
    if image not in ("Upper", "a/../b", "a//b"):
        assert f"Setting stack.{V}.service in {tmp_path}" in refused(
            write(tmp_path / "f.yaml", nested(f"stack.{V}.service", image))
        )


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("serie", "Did you mean series?"),
        ("base.dockerfil", "Did you mean dockerfile?"),
        (f"{V}.run_option", "Did you mean run_options?"),
        (
            "start.zzz",
            "There are: allow, timeout, settle, keep, rehearse, volumes, env_files, rehearsal_network, hold, drain.",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(key: str, hint: str, tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", nested(f"stack.{key}", "x"))
    assert refused(file) == f"There is no setting stack.{key}, which stands in {file}. {hint}"


def test_a_missing_key_is_named_with_the_file_that_should_have_it(tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", nested("stack.frames.second", {"image": "tests/second"}))
    assert refused(file) == f"Setting stack.frames.second.dockerfile is missing in {file}."
    project = copy(tmp_path / "project")
    text = (project / "invoke.yaml").read_text()
    (project / "invoke.yaml").write_text(text.replace("  vendor: ColorAI\n", ""))
    done = run([project / "inv", "labels"], code=2, cwd="/", env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert done.stderr == f"Setting stack.vendor is missing in {project}/invoke.yaml.\n"
    (project / "invoke.yaml").write_text("run: {echo: false}\n")
    done = run([project / "inv", "labels"], code=2, cwd="/", env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert done.stderr == f"There are no settings: {project}/invoke.yaml has no `stack:` section.\n"


def test_what_invoke_itself_cannot_merge_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", {"stack": {"frames": {"visdom": {"build_args": {1: "x"}}}}})
    said = inv("-f", file, "labels", code=2).stderr
    assert said == f'{file}: 1 in stack.{V}.build_args stands where a name is expected. Write it in quotes: "1"\n'
    for key, value in (("base", "colorai/base"), ("series", {"a": "b"}), (f"{V}.build_args", ["A=1"])):
        write(file, nested(f"stack.{key}", value))
        said = inv("-f", file, "labels", code=2).stderr
        assert said.startswith(f"Setting stack.{key} in {file}: expected ") and len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "written"),
    [("series", "0.10"), ("vendor", "on"), (f"{V}.command", "8022:22"), ("url", "0x1F"), ("source", "1_000")],
)
def test_a_hint_quotes_what_stands_in_the_file(key: str, written: str, tmp_path: Path) -> None:
    file, value = tmp_path / "site.yaml", f"[a, {written}]" if "command" in key else written
    *sections, last = key.split(".")
    lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(["stack", *sections])]
    file.write_text("\n".join([*lines, f"{'  ' * len(lines)}{last}: {value}", ""]))
    assert refused(file).endswith(f'expected text, found {written}. Write it in quotes: "{written}"')
    file.write_text(f"stack: {{frames: {{visdom: {{build_args: {{{written}: x}}}}}}}}\n")
    said = inv("-f", file, "labels", code=2).stderr
    assert said.endswith(
        f'{written} in stack.{V}.build_args stands where a name is expected. Write it in quotes: "{written}"\n'
    )


def test_a_hint_shows_no_value_that_may_be_another(tmp_path: Path) -> None:
    file = tmp_path / "site.py"
    file.write_text("stack = {'series': 0.10}\n")
    assert refused(file).endswith("expected text, found 0.1. Write it in quotes.")


@pytest.mark.parametrize("written", ["0.10", "1E-2", "true"])
def test_a_hint_shows_what_stands_in_a_json_file_too(written: str, tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    file.write_text(f'{{\n\t"stack": {{"series": {written}}}\n}}\n')
    assert refused(file).endswith(f'expected text, found {written}. Write it in quotes: "{written}"')


def test_a_file_named_with_f_overrides_deep_in_the_settings(tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", {"stack": {"start": {"keep": 1}, "frames": {"visdom": {"port": 9}}}})
    found = load(file)
    assert (found.start.keep, found.start.timeout, found.frame().port) == (1, 60, 9)
    assert found.frame().image == "colorai/cauchycv_visdom"
    write(file, {"stack": {"start": {"keep": "some"}}})
    said = inv("-f", file.name, "start", code=2, cwd=tmp_path).stderr
    assert said == f'Setting stack.start.keep in {file.name}: expected a whole number, found "some".\n'


def test_a_variable_overrides_one_value_and_is_named_when_it_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INVOKE_STACK_START_KEEP", "7")
    monkeypatch.setenv(f"INVOKE_STACK_{V.upper().replace('.', '_')}_SERVICE", "another")
    assert (load().start.keep, load().frame().service) == (7, "another")
    file = write(tmp_path / "site.yaml", nested("stack.start.keep", 1))
    assert load(file).start.keep == 1, "in Invoke, a file named with -f has the last word"
    monkeypatch.setenv("INVOKE_STACK_START_KEEP", "-7")
    said = "Setting stack.start.keep in the environment (INVOKE_STACK_START_KEEP): "
    assert refused() == said + "expected 0 or a greater whole number, found -7."
    write(file, nested("stack.start.keep", -1))
    assert f"Setting stack.start.keep in {file}:" in refused(file)
    monkeypatch.delenv("INVOKE_STACK_START_KEEP")
    monkeypatch.setenv("INVOKE_STACK_START_TIMOUT", "9")
    said = "The variable INVOKE_STACK_START_TIMOUT names no setting. Did you mean INVOKE_STACK_START_TIMEOUT?"
    assert refused() == said
    assert inv("start", code=2).stderr == said + "\n"


def test_several_frames_need_a_name(tmp_path: Path) -> None:
    second = {**own()["frames"]["visdom"], "image": "tests/second", "service": "second"}
    found = load(write(tmp_path / "site.yaml", nested("stack.frames.second", second)))
    assert found.frame("second").image == "tests/second"
    for name, sentence in (("", "There are several frames."), ("third", "There is no frame third.")):
        with pytest.raises(Exit) as caught:
            found.frame(name)
        assert caught.value.message == f"{sentence} Type --name with one of: visdom, second." and caught.value.code == 2


@pytest.mark.parametrize("said", ["false", "False", "no", "off", "0", ""])
def test_a_variable_that_says_no_means_no(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_STACK_START_REHEARSE", said)
    assert load().start.rehearse is False


@pytest.mark.parametrize("text", ["stack:\n#  series: x\n", "stack: {base: null, start: }\n", "run:\n", ""])
def test_a_section_without_lines_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(text)
    assert load(tmp_path / "site.yaml") == load()


@pytest.mark.parametrize("key", ["command", "run_options"])
def test_a_command_is_one_line_without_control_characters(key: str, tmp_path: Path) -> None:
    for word in ("echo a\necho b", "\x1b[2J"):
        said = refused(write(tmp_path / "site.yaml", nested(f"stack.{V}.{key}", ["sh", "-c", word])))
        assert said.startswith(f"Setting stack.{V}.{key}: expected text of one line")


def frame(service: str, **settings: Any) -> dict[str, Any]:
    return {"image": f"tests/{service.lower()}", "dockerfile": "docker/Dockerfile", "service": service, **settings}


def test_a_sites_frame_inherits_nothing_and_can_stand_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", nested("stack.frames", {"visdom": None, "mine": frame("mine")}))
    found = load(file)
    assert list(found.frames) == ["mine"]
    mine = found.frame()
    assert (mine.port, mine.run_options, mine.command, mine.service) == (None, (), (), "mine")
    for typed in ([sys.executable, "-m", "invoke"], [sys.executable, "-I", PROGRAM_FILE]):  # pip's own inv, and ours
        words = [*typed, "-f", file, "labels", "--name", "visdom"]
        done = run(words, code=2, cwd=ROOT, env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
        assert done.stderr == "There is no frame visdom. Type --name with one of: mine.\n"
    write(file, nested("stack.frames", {"visdom": None}))
    assert refused(file).endswith("expected at least one frame, found nothing.")
    write(file, nested("stack.frames", {"visdon": None}))
    assert refused(file) == f"Setting stack.frames.visdon in {file}: expected `key: value` lines, found nothing."
    write(file, nested("stack.frames", {"mine": frame("mine")}))
    assert list(load(file).frames) == ["visdom", "mine"]


@pytest.mark.parametrize("end", ["next", "rehearsal", "recovery", "1.0", "next.2"])
def test_services_whose_containers_could_meet_are_refused(end: str, tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", nested("stack.frames", {"a": frame("svc"), "b": frame(f"svc.{end}")}))
    said = refused(file)
    assert "stack.frames.b.service" in said and "stack.frames.a.service" in said and f"svc.{end}, is a name" in said
    write(file, nested("stack.frames", {"a": frame("svc"), "b": frame(f"svc-{end}"), "c": frame(f"svcs.{end}")}))
    load(file)


@pytest.mark.parametrize("folder", ["/.", "//", "/data/..", "/../", "/a/./../b/.."])
@pytest.mark.parametrize("key", ["data", "start.volumes"])
def test_a_folder_that_is_the_whole_host_is_refused(key: str, folder: str, tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", nested(f"stack.{key}", folder if key == "data" else ["/srv", folder]))
    said = refused(file)
    assert said.startswith(f"Setting stack.{key} in {file}: expected a folder") and said.endswith(f"found {folder}.")


@pytest.mark.parametrize("word", [";", "&&", "||", "|", "&", ">", ">>", "<", "2>&1", ">&2", ">/dev/null", "2>>/log/a"])
def test_a_word_that_only_a_shell_would_act_on_is_refused(word: str, tmp_path: Path) -> None:
    file = write(tmp_path / "site.yaml", nested(f"stack.{V}.command", ["python", "x.py", word, "log"]))
    said = f"Setting stack.{V}.command in {file}: {word} is passed as a word, because no shell reads it."
    assert refused(file) == f"{said} For what a shell would do, have one in the container: [sh, -c, …]."
    words = ["sh", "-c", word, f"a {word} b", f"--sep={word}", "->", "=>", "<a>", "a;b", ">=1"]
    load(write(file, nested(f"stack.{V}.command", words)))


def test_what_only_a_shell_would_replace_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    for key, words, named in (
        (f"{V}.run_options", ["--env", "DB_PASSWORD=${DB_PASSWORD}"], "${DB_PASSWORD}"),
        (f"{V}.run_options", ["--hostname", "$(hostname)"], "$(hostname)"),
        (f"{V}.run_options", ["--env=A=$HOME/x"], "$HOME"),
        (f"{V}.command", ["python", "x.py", "--port", "$PORT"], "$PORT"),
        (f"{V}.command", ["echo", "`id`"], "`id`"),
        ("base.build_options", ["--build-arg", "A=$B"], "$B"),
    ):
        said = refused(write(file, nested(f"stack.{key}", words)))
        assert said.startswith(f"Setting stack.{key} in {file}: {named} is passed as it is") and "--env-file" in said
    for key, words in (
        (f"{V}.command", ["sh", "-c", "exec serve --port $PORT"]),
        (f"{V}.command", ["bash", "-lc", "echo `id`"]),
        (f"{V}.run_options", ["--health-cmd", "curl -f localhost:$PORT", "--env", "PRICE=5$"]),
        (f"{V}.run_options", ["--health-cmd=curl -f localhost:$PORT"]),
    ):
        load(write(file, nested(f"stack.{key}", words)))


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        ("start.timeout", "010", "8"),
        ("start.timeout", "1:30", "90"),
        ("start.keep", "0x10", "16"),
        ("start.keep", "1_0", "10"),
        (f"{V}.port", "0b1111", "15"),
        ("start.settle", "1:30.5", "90.5"),
    ],
)
def test_a_number_that_yaml_reads_as_another_is_refused_as_it_is_written(
    key: str, written: str, read: str, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    above, _, last = key.rpartition(".")
    for text in (f"{last}: {written}", f"{last}:   {written}  # so many"):
        section = "".join(f"{'  ' * (depth + 1)}{part}:\n" for depth, part in enumerate(above.split(".")))
        file.write_text(f"stack:\n{section}        {text}\n")
        said = f"Setting stack.{key} in {file}: YAML reads {written} as {read}."
        assert refused(file) == f"{said} Write plain digits without a 0 in front."
    file.write_text("stack: {start: {timeout: 10, settle: 5., keep: 0}, data: /010}\n")
    load(file)


def test_two_settings_must_not_name_one_image_or_service(tmp_path: Path) -> None:
    visdom = own()["frames"]["visdom"]
    for other, said in (
        ({**visdom, "image": f"docker.io/{visdom['image']}", "service": "xx"}, "stack.frames.visdom.image and stack"),
        ({**visdom, "service": "second"}, "stack.frames.visdom.image and stack.frames.second.image are both"),
        ({**visdom, "image": "tests/second"}, "stack.frames.visdom.service and stack.frames.second.service are both"),
        ({**visdom, "image": own()["base"]["image"], "service": "second"}, "stack.base.image and stack.frames.second"),
    ):
        assert said in refused(write(tmp_path / "site.yaml", nested("stack.frames.second", other)))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("site.yaml", "a: \x00", "cannot be read: unacceptable character #x0000"),
        ("site.yaml", "a: 2001-99-99", "cannot be read: month must be in 1..12."),
        ("site.json", '{"stack": ', "cannot be read: Expecting value: line 1 column 11 (char 10)."),
        ("dup.json", '{"stack": {"data": "/a", "data": "/b"}}', "cannot be read: data stands there twice; keep one."),
        ("site.py", "x = (\n", "cannot be read: '(' was never closed (site.py, line 1)."),
    ],
    ids=lambda value: value[:9],
)
def test_a_file_that_cannot_be_read_gets_one_sentence(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    refusal = inv("-f", tmp_path / name, "labels", code=2).stderr
    assert refusal.startswith(f"{tmp_path / name} {said}") and len(refusal.splitlines()) == 1


def test_a_section_that_stands_twice_is_refused_and_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("stack: &all\n  start: {keep: 1, volumes: [{a: *all}]}\n  data: /srv\n  start: {timeout: 6}\n")
    assert inv("-f", file, "labels", code=2).stderr == (
        f"{file}, line 4: not valid YAML (start stands here twice; keep one).\n"
    )
