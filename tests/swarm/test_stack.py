"""The stack file: the whole of it for what the project recommends, each option's words, and docker's own view of it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from invoke import Exit
from recommended.samples import HARMLESS, IMAGE, REPLACED, accepted, allowed
from ruamel.yaml import YAML

from tasks.recommended.command import Recommended, check
from tasks.settings.model import Start
from tasks.swarm import stack
from tasks.swarm.options import translated
from tasks.swarm.stack import Plan

ID = "sha256:" + 64 * "6"
START = Start(allow=(), settle=3)

WHOLE = """version: '3.9'
services:
  frame:
    image: sha256:6666666666666666666666666666666666666666666666666666666666666666
    volumes:
      - type: bind
        source: /data
        target: /data
      - type: tmpfs
        target: /dev/shm
        tmpfs:
          size: 2147483648
    networks:
      - host
    hostname: colorai
    ulimits:
      memlock:
        soft: -1
        hard: -1
      stack:
        soft: 67108864
        hard: 67108864
    command:
      - python
      - cauchy_services.py
      - --port
      - '8339'
    deploy:
      mode: global
      placement:
        constraints:
          - node.labels.com.colorai.stack.cauchy_service == true
      restart_policy:
        condition: any
        delay: 1s
      update_config:
        parallelism: 1
        order: stop-first
        monitor: 3000ms
        delay: 3000ms
        failure_action: rollback
      rollback_config:
        parallelism: 1
        order: stop-first
        monitor: 3000ms
        failure_action: continue
      labels:
        org.opencontainers.image.version: 0.2.7
        com.colorai.stack.rollout: STAMP
    labels:
      org.opencontainers.image.version: 0.2.7
      com.colorai.stack.rollout: STAMP
      com.colorai.stack.image: sha256:6666666666666666666666666666666666666666666666666666666666666666
networks:
  host:
    external: true
    name: host
"""


def plan(command: Recommended, runtime: str = "") -> Plan:
    return Plan("cauchy_service", ID, "0.2.7", command, runtime)


def test_what_the_scripts_ran_as_a_whole_stack_file() -> None:
    content = stack.document(plan(check(REPLACED, IMAGE, allowed()), "nvidia"), START)
    assert stack.text(content) == WHOLE.replace("STAMP", stack.stamp_of(content))


def test_who_deployed_it_changes_nothing_of_its_tasks() -> None:
    one = stack.document(plan(accepted()), START)
    other = stack.document(plan(accepted()), START, {"com.colorai.stack.switch": "{}"})
    assert other["services"]["frame"]["deploy"]["labels"].pop("com.colorai.stack.switch") == "{}"
    assert one == other
    assert stack.stamp_of(one) != stack.stamp_of(stack.document(plan(accepted("--init")), START))


# Each option alone: the words of the service that it becomes.
PIECES: dict[str, dict[str, Any]] = {
    "--cpus 1.5": {"deploy": {"resources": {"limits": {"cpus": "1.5"}}}},
    "--memory 1g": {"deploy": {"resources": {"limits": {"memory": "1073741824"}}}},
    "--memory-reservation 512m": {"deploy": {"resources": {"reservations": {"memory": "536870912"}}}},
    "--pids-limit 100": {"deploy": {"resources": {"limits": {"pids": 100}}}},
    "--entrypoint sh": {"entrypoint": ["sh"]},
    "--entrypoint sh --entrypoint bash": {"entrypoint": ["bash"]},
    "-e A=b -e C=": {"environment": ["A=b", "C="]},
    "--env-file /etc/service.env": {"env_file": ["/etc/service.env"]},
    "--health-cmd true --health-interval 5s": {"healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "5s"}},
    "--health-retries 2 --health-timeout 1s": {"healthcheck": {"retries": 2, "timeout": "1s"}},
    "--no-healthcheck": {"healthcheck": {"disable": True}},
    "-h one -h two": {"hostname": "two"},
    "--init": {"init": True},
    "--init=false": {"init": False},
    "--read-only --tty": {"read_only": True, "tty": True},
    "-l a=b -l alone": {"labels": {"a": "b", "alone": ""}},
    "--log-driver local --log-opt max-size=1m": {"logging": {"driver": "local", "options": {"max-size": "1m"}}},
    "--network bridge": {},
    "--network mine": {"networks": ["mine"]},
    "-p 8339:80": {"ports": [{"target": 80, "published": 8339, "protocol": "tcp", "mode": "host"}]},
    "-p 80/udp": {"ports": [{"target": 80, "protocol": "udp", "mode": "host"}]},
    "-p 81-82:1-2": {
        "ports": [
            {"target": 1, "published": 81, "protocol": "tcp", "mode": "host"},
            {"target": 2, "published": 82, "protocol": "tcp", "mode": "host"},
        ]
    },
    "--restart no": {"deploy": {"restart_policy": {"condition": "none", "delay": "1s"}}},
    "--restart unless-stopped": {"deploy": {"restart_policy": {"condition": "any", "delay": "1s"}}},
    "--restart on-failure:5": {
        "deploy": {"restart_policy": {"condition": "on-failure", "delay": "1s", "max_attempts": 5}}
    },
    "--stop-signal INT --stop-timeout 30": {"stop_signal": "INT", "stop_grace_period": "30s"},
    "--tmpfs /x": {"volumes": [{"type": "tmpfs", "target": "/x"}]},
    "--tmpfs /x:rw,noexec,size=64m": {"volumes": [{"type": "tmpfs", "target": "/x", "tmpfs": {"size": 67108864}}]},
    "--ulimit nofile=1:2": {"ulimits": {"nofile": {"soft": 1, "hard": 2}}},
    "-u 1:1 -w /x": {"user": "1:1", "working_dir": "/x"},
    "-v /data/./a:/x:ro,rprivate": {
        "volumes": [
            {
                "type": "bind",
                "source": "/data/a",
                "target": "/x",
                "read_only": True,
                "bind": {"propagation": "rprivate"},
            }
        ]
    },
    "-v named:/x:nocopy -v /anonymous": {
        "volumes": [
            {"type": "volume", "source": "named", "target": "/x", "volume": {"nocopy": True}},
            {"type": "volume", "target": "/anonymous"},
        ]
    },
    "--mount type=bind,src=/data,dst=/x,ro": {
        "volumes": [{"type": "bind", "source": "/data", "target": "/x", "read_only": True}]
    },
    "--mount type=tmpfs,target=/x,tmpfs-size=1m": {
        "volumes": [{"type": "tmpfs", "target": "/x", "tmpfs": {"size": 1048576}}]
    },
}


@pytest.mark.parametrize("words", PIECES)
def test_each_option_has_words_of_its_own(words: str) -> None:
    found, refused = translated(accepted(*words.split()), "")
    assert not refused
    expected = {"deploy": {"restart_policy": {"condition": "none"}}, **PIECES[words]}
    expected["deploy"] = {"restart_policy": {"condition": "none"}, **expected["deploy"]}
    assert found == expected


REFUSED = {
    "--runtime nvidia": '("default-runtime": "nvidia"), restart docker there, then add: --default-runtime nvidia',
    "--gpus all": "say which GPUs with --env NVIDIA_VISIBLE_DEVICES=all",
    "--cpu-shares 5": "a Swarm service has no word for it",
    "--cpuset-cpus 0": "a Swarm service has no word for it",
    "--memory-swap 2g": "a Swarm service has no word for it",
    "--oom-score-adj 5": "a Swarm service has no word for it",
    "--expose 80": "a Swarm service has no word for it",
    "--network none": "a Swarm service cannot be without a network",
    "--entrypoint=": "a Swarm service cannot take an image's entrypoint away",
    "-p 127.0.0.1:80:80": "a Swarm service publishes on every address of a node",
    "-p 8000-8010:80": "a Swarm service takes no port out of a range",
    "--tmpfs /x:mode=1777": "a Swarm service mounts no tmpfs with mode=1777",
    "-v /data:/data:z": "a Swarm service mounts nothing with the mode z",
    "--mount type=tmpfs,target=/x,tmpfs-mode=700": "a stack file has no word for tmpfs-mode",
    "-e A={{.Node.ID}}": "holds {{, which Swarm replaces",
    "-h {{.Node.Hostname}}": "holds {{, which Swarm replaces",
    "-v /data/{{x}}:/x": "holds {{, which Swarm replaces",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_has_no_words_is_refused_by_name(words: str) -> None:
    with pytest.raises(Exit) as refused:
        stack.document(plan(accepted("--init", *words.split())), START)
    assert refused.value.code == 1 and refused.value.message
    assert refused.value.message.endswith(REFUSED[words])
    assert words.split()[0].lstrip("-")[0] in refused.value.message


def test_only_the_runtime_that_the_nodes_have_is_left_out() -> None:
    assert translated(accepted("--runtime", "nvidia"), "nvidia")[1] == []
    assert translated(accepted("--runtime", "nvidia"), "other")[1] != []


def reads_stack_files() -> bool:
    """Whether this machine's client has `docker stack config`, which came with 25."""
    done = subprocess.run(["docker", "stack", "config", "--help"], capture_output=True, text=True)
    return "--compose-file" in done.stdout and "stack config" in done.stdout


@pytest.mark.skipif(not reads_stack_files(), reason="this docker client reads no stack file without a swarm")
@pytest.mark.parametrize("words", HARMLESS)
def test_docker_accepts_each_stack_file_and_reads_back_what_was_meant(words: str, tmp_path: Path) -> None:
    command = accepted(*HARMLESS[words])
    if translated(command, "nvidia")[1] or "--env-file" in words:
        return  # refused, which is tested above; and files that are not there
    file = tmp_path / "stack.yaml"
    content = stack.document(plan(command, "nvidia"), START)
    file.write_text(stack.text(content))
    done = subprocess.run(["docker", "stack", "config", "-c", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "nothing is ignored"
    meant, read = content["services"]["frame"], YAML(typ="safe").load(done.stdout)["services"]["frame"]
    for key in ("command", "entrypoint", "hostname", "init", "labels", "tty", "ulimits", "user", "volumes"):
        assert read.get(key) == meant.get(key), key
    pairs = {name: value for name, _, value in (word.partition("=") for word in meant.get("environment", ()))}
    assert (read.get("environment") or {}) == pairs
