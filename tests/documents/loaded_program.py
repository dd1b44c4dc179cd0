"""The program, loaded once: `loaded_program.py PLACE` waits, and each start is a fork of it.

`loaded_program.py PLACE WORD …` is such a start, as `python -m abq_data_entry WORD …` is one: in its own folder, with
its own variables, input and output, and it ends as that ends. A start of a new Python takes five times as long, most
of it for imports.
"""

import json
import os
import signal
import socket
import sys

READY = "loaded\n"
_LOADED = (
    "abq_data_entry.commands.line", "abq_data_entry.logfile", "abq_data_entry.models.administration",
    "abq_data_entry.models.auditing", "abq_data_entry.models.sql", "abq_data_entry.outbox",
    "abq_data_entry.postgres.server", "keyring", "psycopg2", "requests",
)  # fmt: skip
_FORKED = 0


def wait_for_starts(place: str) -> None:
    """Fork for each start; returns in the fork, which is the program."""
    import gc
    import importlib

    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()  # else each fork looks through all of that at its end, and has to copy it for that
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the programs
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        os.write(1, READY.encode())
        while True:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == _FORKED:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _become_what_is_asked_for(connection)
                    return


def _become_what_is_asked_for(connection: socket.socket) -> None:
    """Fork once more: the one tells how the other has ended, which is the program."""
    asked, files, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    program = os.fork()
    if program != _FORKED:
        for file in files:
            os.close(file)
        _, status = os.waitpid(program, 0)
        connection.send(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
        os._exit(0)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)  # the program ends with them
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    folder, variables, words = json.loads(asked)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv[1:] = words


def start(place: str, words: list[str]) -> int:
    """Let the loaded program run with these words; its exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(place)
        asked = json.dumps([os.getcwd(), dict(os.environ), words])  # noqa: PTH109  # pathlib takes as long as all this
        socket.send_fds(connection, [asked.encode()], [0, 1, 2])
        return connection.recv(1)[0]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(start(sys.argv[1], sys.argv[2:]))
    wait_for_starts(sys.argv[1])
    import runpy

    runpy.run_module("abq_data_entry", run_name="__main__", alter_sys=True)
