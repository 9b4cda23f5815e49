"""A little network of its own: this process is the server room, its hosts hang on a bridge in it.

Nothing is named and nothing stays behind: the namespaces end with the processes in them. No address of it
can be reached from outside, nor anything outside from it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["SERVERS", "Host", "enter", "why_not"]

SERVERS = "10.203.0.1"
"""Where PostgreSQL and the practice Mailchimp are, seen from the hosts."""

_BRIDGE = "hosts"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of <sched.h>


def why_not() -> str:
    """Why no network namespaces can be made here; '' where they can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    missing = [tool for tool in ("ip", "unshare", "nsenter") if not shutil.which(tool)]
    if missing:
        return f"{' and '.join(missing)} not found (Debian: iproute2, util-linux)"
    probe = ["unshare", "-n", "ip", "link", "add", "probe", "type", "bridge"]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no network namespace can be made: {tried.stderr.strip()}"


def enter() -> None:
    """Move this process into a network of its own, the server room; called before any thread is started."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _ip("link set lo up")
    _ip(f"link add {_BRIDGE} type bridge")
    _ip(f"addr add {SERVERS}/24 dev {_BRIDGE}")
    _ip(f"link set {_BRIDGE} up")


class Host:
    """A host with an address of its own, on a cable that can be pulled."""

    def __init__(self, number: int) -> None:
        """`number`: from 1 to 200."""
        self.number = number
        self.address = f"10.203.0.{number + 10}"
        # Somebody has to be in a namespace to keep it.
        keeper = ["unshare", "-n", "--", "sh", "-c", "echo; exec sleep 3600"]
        self._keeper = subprocess.Popen(keeper, stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        self._keeper.stdout.readline()
        self._cable = f"cable{number}"
        _ip(f"link add {self._cable} type veth peer name eth0 netns {self._keeper.pid}")
        _ip(f"link set {self._cable} master {_BRIDGE}")
        self.plug_in()
        for words in ("link set lo up", f"addr add {self.address}/24 dev eth0", "link set eth0 up"):
            subprocess.run([*self.inside(["ip"]), *words.split()], check=True)

    def inside(self, program: Sequence[str]) -> list[str]:
        """The command line that runs `program` on this host."""
        nsenter = shutil.which("nsenter")
        assert nsenter is not None
        return [nsenter, "-t", str(self._keeper.pid), "-n", "--", *program]

    def pull_out(self) -> None:
        """Cut the host off: nothing comes and nothing goes, and nobody is told."""
        _ip(f"link set {self._cable} down")

    def plug_in(self) -> None:
        """Connect it again."""
        _ip(f"link set {self._cable} up")

    def end(self) -> None:
        self._keeper.kill()
        self._keeper.wait()


def _ip(words: str) -> None:
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {words}: {done.stderr.strip()} (user {os.getuid()})")
