"""Start a program as systemd does that holds its sockets (sd_listen_fds(3)).

``socket_activation.py UNIX_PATH HOST:PORT PROGRAM ARGUMENT...``
"""

import os
import socket
import sys

FIRST = 3
"""Where systemd puts the first of them."""


def main(path: str, address: str, *command: str) -> None:
    host, port = address.split(":")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(path)
    tcp = socket.create_server((host, int(port)))
    for number, held in enumerate((unix, tcp)):
        held.listen(2048)
        os.dup2(held.fileno(), FIRST + number)
        os.set_inheritable(FIRST + number, True)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
