"""Become who a program wants to be run by, then become the program. Run as a script: `become.py WHO SIGNAL PROGRAM …`.

    self      as we are
    masked    `nobody` in a user namespace of our own; the same files are ours
    nobody    really `nobody`; for root alone

In each, SIGNAL comes when the starter dies. A process of its own, and no code between fork and exec of the starter: there
threads of libraries make `unshare` fail now and then, and locks may be held by nobody.
"""

import ctypes
import os
import pwd
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def masked(libc: ctypes.CDLL) -> None:
    uid, gid, nobody = os.geteuid(), os.getegid(), pwd.getpwnam("nobody")
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are refused here")
    maps = (("setgroups", "deny"), ("uid_map", f"{nobody.pw_uid} {uid} 1"), ("gid_map", f"{nobody.pw_gid} {gid} 1"))
    for name, text in maps:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def really_nobody(libc: ctypes.CDLL) -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    os.chdir("/")


def main() -> None:
    who, number, *command = sys.argv[1:]
    starter = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if who == "masked":
            masked(libc)
        elif who == "nobody":
            really_nobody(libc)
        # After becoming somebody else, which forgets it.
        libc.prctl(PR_SET_PDEATHSIG, int(getattr(signal, f"SIG{number}")))
        if os.getppid() != starter:
            sys.exit(1)  # the starter died before it could be watched
        os.execv(command[0], command)
    except OSError as error:
        print(f"become {who}: {error}", file=sys.stderr)
        sys.exit(126)


if __name__ == "__main__":
    main()
