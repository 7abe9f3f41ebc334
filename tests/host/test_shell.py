"""The two ways to `c.run`: what is asked, what is run, and that no other module has a way of its own."""

import ast
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from invoke import Config, Context, Exit
from sites import ROOT

from tasks.host import shell
from tasks.host.shell import ask, run

ARGV = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
HOSTILE = [
    "two words",
    "it's",
    '"',
    "$HOME",
    "$(touch pwned)",
    "`id`",
    "a\nb",
    "*",
    "~",
    ";",
    "&",
    "|",
    "é",
    "",
    "\\",
    "!",
    "#",
    "\t",
]


def context(**run_options: object) -> Context:
    return Context(Config(overrides={"run": run_options, "runners": {"local": shell.Runner}}))


def script(body: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a script that has `c`, `ask` and `run`, with this text on its standard input. SIGTERM interrupts it."""
    head = "import sys; sys.path.insert(0, sys.argv[1])\nimport os, signal, subprocess, threading, time\n"
    head += "from invoke import Config, Context\nfrom tasks.host.signals import interrupt\n"
    head += "from tasks.host.shell import Runner, ask, run\nsignal.signal(signal.SIGTERM, interrupt)\n"
    head += "c = Context(Config(overrides={'runners': {'local': Runner}}))\n"
    return subprocess.run(
        [sys.executable, "-c", head + body, str(ROOT)],
        input=b"typed ahead\n",
        capture_output=True,
        env={**os.environ, **environment},
        cwd="/",
        timeout=60,
    )


def test_a_question_is_hidden_and_its_failure_is_an_answer(capfd: pytest.CaptureFixture[str]) -> None:
    result = ask(context(), ["sh", "-c", "echo yes; echo no >&2; exit 3"])
    assert (result.stdout, result.stderr, result.exited, result.ok) == ("yes\n", "no\n", 3, False)
    assert ask(context(), ["no-such-program"]).exited == 127
    assert capfd.readouterr() == ("", "")


def test_a_question_is_answered_under_dry_too() -> None:
    assert ask(context(dry=True, echo=True), ["echo", "yes"]).stdout == "yes\n"


def test_a_question_leaves_standard_input_to_the_person() -> None:
    done = script("ask(c, ['sleep', '0.2']); run(c, ['sleep', '0.2'], ''); print(input())")
    assert done.stdout.decode().splitlines()[-1] == "typed ahead", done.stderr


@pytest.mark.parametrize("language", ["C", "POSIX", "de_DE.ISO-8859-1", "C.UTF-8", ""])
def test_answers_are_utf_8_whatever_the_language(language: str) -> None:
    body = "answer = ask(c, ['printf', 'm\\\\303\\\\274de \\\\377']).stdout\n"
    body += "sys.stdout.buffer.write(answer.encode('utf-8', 'surrogateescape'))"
    done = script(body, LANG=language, LC_ALL=language, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.stdout.startswith("müde ".encode()), done.stderr
    done = script("run(c, ['echo', 'm\\u00fcde'], '')", LANG=language, LC_ALL=language)
    assert done.returncode == 0 and "Traceback" not in done.stderr.decode(), done.stderr


def test_what_is_shown_is_what_runs(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with context().cd(str(tmp_path)):
        pass
    run(context(), [*ARGV, *HOSTILE], "")
    printed = capfd.readouterr().out
    assert printed == f"{shlex.join([*ARGV, *HOSTILE])}\n{HOSTILE}\n"
    pasted = subprocess.run(["sh"], input=printed.rpartition("\n[")[0], capture_output=True, text=True, cwd=tmp_path)
    assert pasted.stdout == f"{HOSTILE}\n", "it can be pasted into a shell"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_dry_prints_the_same_and_runs_nothing(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run(context(dry=True), ["touch", f"{tmp_path}/a b"], "It failed.")
    assert capfd.readouterr().out == f"touch '{tmp_path}/a b'\n"
    assert result.exited == 0 and not list(tmp_path.iterdir())


def test_a_failure_ends_with_its_sentence_and_1(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exit) as caught:
        run(context(), ["sh", "-c", "echo why >&2; exit 7"], "It failed. Type this instead.")
    assert (caught.value.code, caught.value.message) == (1, "It failed. Type this instead.")
    assert capfd.readouterr().err == "why\n"
    with pytest.raises(Exit):
        run(context(), ["no-such-program"], "It failed.")


def test_the_end_of_a_command_is_seen_at_once() -> None:
    assert ask(context(), ["sh", "-c", "sleep 0.3; echo over; exit 3"]).exited == 3
    quiet = ["sh", "-c", "sleep 0.3 >&- 2>&-; exec sleep 0.3 >&- 2>&-"]  # its end is all that it says
    begun = time.monotonic()
    assert ask(context(), quiet).ok and 0.6 <= time.monotonic() - begun < 20


def test_an_environment_adds_and_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAYS", "1")
    monkeypatch.setenv("GOES", "1")
    shown = ask(context(), ["env"], env={"GOES": None, "COMES": "two words"}).stdout.splitlines()
    assert "STAYS=1" in shown and "COMES=two words" in shown
    assert not [line for line in shown if line.startswith("GOES=")]


def test_a_file_that_the_shell_reads_first_does_not_talk_into_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "talks").write_text("echo Welcome; echo Welcome >&2\n")
    for name in ("BASH_ENV", "ENV"):
        monkeypatch.setenv(name, str(tmp_path / "talks"))
    result = ask(context(), ["echo", "yes"])
    assert (result.stdout, result.stderr) == ("yes\n", "")
    assert ask(context(), ["echo", "yes"], env={"A": "b"}).stdout == "yes\n"
    run(context(), ["echo", "yes"], "")
    assert capfd.readouterr() == ("echo yes\nyes\n", "")


@pytest.mark.parametrize("called", ["ask(c, argv)", "run(c, argv, 'It failed.')"])
@pytest.mark.parametrize("how", ["Ctrl-C in a terminal", "kill"])
def test_an_interrupt_ends_the_command_and_is_not_swallowed(called: str, how: str) -> None:
    body = "import signal, sys; sys.path.insert(0, sys.argv[1])\n"
    body += "from invoke import Config, Context; from tasks.host.signals import interrupt\n"
    body += "from tasks.host.shell import Runner, ask, run\n"
    body += "signal.signal(signal.SIGTERM, interrupt)\n"
    body += "c = Context(Config(overrides={'runners': {'local': Runner}}))\nargv = ['sleep', '60']\n"
    body += f"try: {called}\nexcept KeyboardInterrupt: print('interrupted')\nelse: print('went on')\n"
    process = subprocess.Popen(
        [sys.executable, "-c", body, str(ROOT)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not children.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    begun = time.monotonic()
    if how == "kill":
        process.send_signal(signal.SIGTERM)  # to this process alone
    else:
        os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=50)[0]
    assert said.endswith("interrupted\n") and time.monotonic() - begun < 30, said


# Each begins with what disturbs, and asks for a command that takes an hour.
DISTURBED = {
    "while Popen looks, with its lock taken": """
class Lock:
    sent, real = False, threading.Lock()
    def acquire(self, *how):
        got = self.real.acquire(*how)
        if not Lock.sent:
            Lock.sent = True
            signal.raise_signal(signal.SIGTERM)
        return got
    def release(self): self.real.release()
    def __enter__(self): self.acquire()
    def __exit__(self, *how): self.release()
init = subprocess.Popen.__init__
def made(self, *words, **options):
    init(self, *words, **options)
    self._waitpid_lock = Lock()
subprocess.Popen.__init__ = made
threading.Timer(0.5, lambda: Lock.sent or os.kill(os.getpid(), signal.SIGTERM)).start()
""",
    "before Invoke waits": """
Runner.create_io_threads = lambda self: signal.raise_signal(signal.SIGTERM)
""",
    "so that Invoke stumbles": """
def stumbling(self):
    try: signal.raise_signal(signal.SIGTERM)
    finally: raise RuntimeError("release unlocked lock")
Runner.create_io_threads = stumbling
""",
    "of a command that ignores it": """
Runner.patience = 0.2
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
""",
}


@pytest.mark.parametrize("when", DISTURBED)
def test_an_interrupt_at_an_unlucky_moment_ends_both(when: str) -> None:
    ignoring = "trap '' TERM; " if "ignores" in when else ""
    body = f"""{DISTURBED[when]}
start, started = Runner.start, []
def noted(self, *words):
    start(self, *words)
    started.append(self.process.pid)
Runner.start = noted
try: ask(c, ["sh", "-c", "{ignoring}while sleep 0.05; do :; done"])
except KeyboardInterrupt: print("interrupted")
try: os.waitpid(started[0], 0)
except ChildProcessError: pass  # Invoke has waited for it already
print("and so is the command")
"""
    done = script(body)
    assert done.stdout == b"interrupted\nand so is the command\n", done


def test_an_error_while_an_interrupt_is_handled_is_that_error() -> None:
    body = "Runner.create_io_threads = lambda self: 1 / 0\ntry: raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n"
    body += "    try: ask(c, ['true'])\n    except ZeroDivisionError: print('the error')\n"
    assert script(body).stdout == b"the error\n"


def test_a_program_that_ignores_that_it_is_asked_to_end_is_killed() -> None:
    body = "from tasks.host.handing import hand_over\nRunner.patience = 0.2\n"
    body += "threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()\n"
    body += "try: hand_over(['sh', '-c', \"trap '' TERM; while sleep 0.05; do :; done\"], {})\n"
    body += "except KeyboardInterrupt: print('interrupted')\n"
    assert script(body).stdout == b"interrupted\n"


# The guard: everything else in tasks/ comes these two ways.

RUNS = {"run", "sudo", "system", "popen", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}
KNOWN = {
    # Neither Invoke nor settings are there yet when .venv is made.
    ("tasks/program/install.py", "subprocess.run"),
    ("tasks/program/install.py", "call"),
    # dockerd, which goes on when the task is over.
    ("tasks/host/dockerd.py", "subprocess.Popen"),
    # A terminal, or pipes, handed to docker as they are: Invoke would copy every byte.
    ("tasks/host/handing.py", "subprocess.Popen"),
    # Several libraries are fetched at a time, each by a thread, and Invoke's runner is for one.
    ("tasks/vendoring/git_commands.py", "subprocess.Popen"),
    ("tasks/vendoring/git_commands.py", "subprocess.run"),
    ("tasks/vendoring/pip_settings.py", "subprocess.run"),
    # A connection to an engine elsewhere: a pipe, open as long as the run.
    ("tasks/engine/ssh.py", "subprocess.Popen"),
    ("tasks/engine/ssh.py", "subprocess.run"),  # its end
    # `docker save` here and `docker load` there, several at a time: Invoke would keep every byte.
    ("tasks/shipping/processes.py", "subprocess.Popen"),
}


def calls(path: Path) -> set[str]:
    """What a module calls that could start another program."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        if any(word.arg == "shell" for word in node.keywords):
            found.add("shell=")
        if isinstance(node.func, ast.Attribute) and node.func.attr in RUNS | {
            "execv",
            "execvp",
            "spawnv",
            "posix_spawn",
        }:
            found.add(ast.unparse(node.func))
        if isinstance(node.func, ast.Name) and node.func.id in RUNS - {"run"}:
            found.add(node.func.id)
    return found


def test_only_one_module_runs_commands_and_quotes() -> None:
    modules = [ROOT / "tasks.py", *sorted((ROOT / "tasks").rglob("*.py"))]
    assert len(modules) > 20
    assert calls(ROOT / "tasks/host/shell.py") == {"runner.run", "super().run", "Popen", "shell="}, (
        "the guard itself works"
    )
    others = {(str(path.relative_to(ROOT)), call) for path in modules for call in calls(path)}
    others = {(path, call) for path, call in others if not call.startswith("StackProgram(")}  # Invoke itself
    assert {call for call in others if call[0] != "tasks/host/shell.py"} == KNOWN
