#!/usr/bin/env python3
"""pyftpdlib serves a folder: pyftpd.py PORT-FILE LOG FOLDER PASSWORD CLIENTS

Anybody may log in, and "me" with the password; both only read. At most CLIENTS connections from one
address. Each command is a line of the log."""
import os
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

port_file, log_file, folder, password, clients = sys.argv[1:]


class Handler(FTPHandler):
    authorizer = DummyAuthorizer()

    def pre_process_command(self, line, cmd, arg):
        with open(log_file, "a", encoding="utf-8", errors="replace") as log:
            log.write(("PASS" if cmd == "PASS" else line) + "\n")
        super().pre_process_command(line, cmd, arg)


Handler.authorizer.add_anonymous(folder)
Handler.authorizer.add_user("me", password, folder, perm="elr")
server = FTPServer(("127.0.0.1", 0), Handler)
server.max_cons_per_ip = int(clients)
with open(port_file + ".new", "w", encoding="ascii") as out:
    out.write(str(server.address[1]))
os.rename(port_file + ".new", port_file)
server.serve_forever()
