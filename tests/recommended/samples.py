"""Labels for tests: words that are off limits, words that are harmless, and how a refusal is read."""

import shlex

import pytest
from ruamel.yaml import YAML
from sites import ROOT

from tasks.recommended.command import Recommended, Refused, check
from tasks.recommended.limits import Allowed

IMAGE = "colorai/cauchycv_visdom:0.2.7"
REPLACED = (
    "docker run -d --name cauchy_service --restart unless-stopped --volume /data:/data --network host --hostname "
    "colorai --runtime nvidia --shm-size=2g --ulimit memlock=-1 --ulimit stack=67108864 "
    "colorai/cauchycv_visdom:0.2.7 python cauchy_services.py --port 8339"
)
ALLOW = frozenset(YAML(typ="safe").load(ROOT / "invoke.yaml")["stack"]["start"]["allow"])
Words = list[str]


def made(*words: str, image: str = IMAGE, start: str = "docker run -d --name service") -> str:
    """A label's text with some more options in it, each already one word of the shell."""
    return " ".join([start, *map(shlex.quote, words), image, "sleep", "9"])


def allowed(data: str = "/data", local: bool = False) -> Allowed:
    """What the project's own settings allow."""
    return Allowed(ALLOW, (data, "/srv/models/"), ("/etc/service.env", "/etc/../opt/b:c.env"), local)


def accepted(*words: str, local: bool = False) -> Recommended:
    return check(made(*words), IMAGE, allowed(local=local))


def refusal(text: str, data: str = "/data", local: bool = False) -> str:
    """The sentence that a label is refused with."""
    with pytest.raises(Refused) as refused:
        check(text, IMAGE, allowed(data, local))
    assert refused.value.code == 1
    assert refused.value.message and "\n" not in refused.value.message
    return str(refused.value.message)


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
--env-file service.env
--env-file /etc/service.env.d/../shadow
--cidfile /etc/cron.d/x
--cidfile=x
--label-file=/etc/shadow
--volumes-from other
--volume-driver=evil
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
--volume /data:/data:private,slave
--volume /data:/data:z,Z
--volume /data:/data:z,,ro
--volume /data:/data:rprivate,private
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
--mount type=bind,source=/data,target=/x,consistency=shared
--mount type=tmpfs,target=/x,consistency=cached
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
--volume named_volume:/x:nocopy
--volume named_volume:/x:nocopy,z,ro
--volume /data:/data:z
--volume /data:/data:Z,rw
--volume /data:/data:ro,Z,rprivate,delegated
--volume /data:/data:private
--volume /srv/models/a:/models:ro
--env-file /etc/service.env
--env-file=/etc//x/../service.env --env-file /opt/b:c.env
--entrypoint sh
--entrypoint=
--mount type=bind,source=/data,target=/x,consistency=cached
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
