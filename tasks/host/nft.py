"""Command lines of nft that make new connections to ports of this machine wait, in a table of their own.

While a port is in the set `held`, the first packet of each new connection to it is dropped. The client's kernel sends
it again, after a second as a rule, so who asks sees a slow answer and no refusal. Connections that are open go on. An
element of the set ends by itself, whatever becomes of the process that put it there; a table without elements does
nothing.

Sources: nft(8), for sets whose elements time out; RFC 6298, 2.1, for the second.
"""

import os
import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from invoke import Context

from .debian import install, program
from .port import EVERY, EVERY_IPV4

OURS = "inv_"  # how the tables' names begin
ENDS_AFTER = 4  # seconds after which an element ends that is not renewed
FIRST_PACKET = "tcp flags & (fin|syn|rst|ack) == syn"
# What arrives, over the loopback too, and what is sent from here: docker may forward that before it would arrive. Both
# are before docker's own rules, so the host's port is still in the packet.
CHAINS = {"arriving": "prerouting", "sent": "output"}


def bring(c: Context, here: bool) -> None:
    """Install nft on Debian or Ubuntu, as root. `here`: whether the engine is this machine's."""
    if here and program("nft") is None and program("apt-get") and os.geteuid() == 0:
        install(c, ["nftables"], "by which connections wait during a switch")


def table_name(switch: str) -> str:
    """The table of one switch. `switch`: the id of its candidate, or its name."""
    return OURS + re.sub(r"\W", "_", switch, flags=re.ASCII)


def hold(table: str, ports: Sequence[tuple[str, int]]) -> list[str]:
    """Make a table, and hold these TCP ports, each with the address of this machine that is meant; "" for every one."""
    parts = [
        f"add table inet {table}",
        f"add set inet {table} held {{ type inet_service; flags timeout; timeout {ENDS_AFTER}s; }}",
    ]
    for chain, hook in CHAINS.items():
        parts.append(f"add chain inet {table} {chain} {{ type filter hook {hook} priority raw; }}")
        # One rule for each port would be too long for a command.
        for address in sorted({address for address, _ in ports}):
            here = f"fib daddr type local {to(address)}tcp dport {one_of(each for at, each in ports if at == address)}"
            parts.append(f"add rule inet {table} {chain} {here} tcp dport @held {FIRST_PACKET} drop")
    return nft("; ".join([*parts, elements(table, ports)]))


def check(table: str, ports: Sequence[tuple[str, int]]) -> list[str]:
    """Ask whether `hold` could be done, by this user and this kernel."""
    return nft("--check", *hold(table, ports)[1:])


def hold_anew(table: str, ports: Sequence[tuple[str, int]]) -> list[str]:
    """The same in one step with removing a table of this name, whether there is one or not."""
    return nft(f"add table inet {table}; delete table inet {table}; {hold(table, ports)[-1]}")


def renew(table: str, ports: Sequence[tuple[str, int]]) -> list[str]:
    """Hold the ports for the same time again."""
    return nft(f"flush set inet {table} held; {elements(table, ports)}")


def elements(table: str, ports: Sequence[tuple[str, int]]) -> str:
    """What puts the ports into the set."""
    return f"add element inet {table} held {{ {listed(number for _, number in ports)} }}"


def one_of(numbers: Iterable[int]) -> str:
    """What a port is compared with: a number, or a set of them."""
    found = listed(numbers)
    return f"{{ {found} }}" if "," in found else found


def listed(numbers: Iterable[int]) -> str:
    """Numbers in their order, each once."""
    return ", ".join(map(str, sorted(set(numbers))))


def release(table: str) -> list[str]:
    """Let all connections in: the table goes."""
    return nft("delete", "table", "inet", table)


def look(table: str) -> list[str]:
    """Ask for a table; the answer is a failure where there is none."""
    return nft("list", "table", "inet", table)


def tables() -> list[str]:
    """Ask for the names of all tables. Without `--terse`, nft would read the elements of everybody's sets for that."""
    return nft("--terse", "list", "tables")


def left_over(listed: str, ports: Sequence[tuple[str, int]]) -> bool:
    """Whether a table, as `look` shows it, held these ports and holds nothing now."""
    mine = one_of(number for _, number in ports)
    return f" tcp dport {mine} tcp dport @held " in listed and "elements =" not in listed


def nft(*words: str) -> list[str]:
    """A command of nft, by its path where the user's PATH does not lead to it."""
    from shutil import which

    return ["nft" if which("nft") else program("nft") or "nft", *words]


def to(address: str) -> str:
    """The condition that a packet goes to an address; "" for every one."""
    if address in ("", EVERY):
        return ""
    if address == EVERY_IPV4:
        return "meta nfproto ipv4 "
    return f"{'ip6' if ip_address(address).version == 6 else 'ip'} daddr {address} "
