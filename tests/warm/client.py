"""`python SCRIPT` and `python -m MODULE` by way of a server that has the libraries loaded (tests/warm/server.py).

Any other command line, and any that the server does not take, runs under Python itself, in place of this process.
Imports nothing but what is built into Python, since every start pays for it (json, socket and signal: 30 ms of 50).
The first argument is Python, what follows is its command line.
"""

import _signal as signal
import _socket as socket
import marshal
import os
import sys

SOCKET = "TRTFLOW_TESTS_WARM"  # the server's, where there is one
PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def asked(words: list[str]) -> dict | None:
    """Return what the server is asked for, None where Python has options or files that it does not know."""
    if not words or (words[0].startswith("-") and (words[0] != "-m" or len(words) < 2)):
        return None
    if len(os.listdir("/proc/self/fd")) > 4:  # standard input, output and error, and this folder: no more is handed on
        return None
    mask = os.umask(0)
    os.umask(mask)
    return {
        "words": words,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "mask": mask,
        "group": os.getpgid(0),
        "session": os.getsid(0),
        "cores": sorted(os.sched_getaffinity(0)),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "ignored": [number for number in PASSED if signal.getsignal(number) == signal.SIG_IGN],
    }


def run(words: list[str]) -> int | None:
    """Return the exit status as `subprocess` has it, None where the command is not the server's."""
    given = asked(words)
    if given is None:
        return None
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(os.environ[SOCKET])
        text = marshal.dumps(given)
        files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
        server.sendmsg([len(text).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        server.sendall(text)
        if server.recv(1) != b"+":
            return None
    except OSError:
        return None
    for number in PASSED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: server.send(bytes([number])))
    answer = b""
    while len(answer) < 4:
        more = server.recv(4 - len(answer))
        if not more:
            return -signal.SIGKILL
        answer += more
    return int.from_bytes(answer, "big", signed=True)


def end(status: int) -> None:
    """End this process as the other one ended: by its status, or by its signal."""
    if status < 0:
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    python, words = sys.argv[1], sys.argv[2:]
    status = run(words) if SOCKET in os.environ else None
    if status is None:
        os.execv(python, [python, *words])
    end(status)
