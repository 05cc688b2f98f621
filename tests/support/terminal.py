#!/usr/bin/env python3
"""Run a command whose stderr is a terminal, and say what was on its screen.

    terminal.py [--size COLUMNSxROWS] [--press-ctrl-c TEXT] [--resize TEXT COLUMNSxROWS]
                [--stop TEXT WORDS] [--stdout] [--limit SECONDS] SCREENS COMMAND...

SCREENS gets each picture that the screen showed, with a line "----" after each. Ctrl-C is pressed,
or the terminal resized, or the command stopped, WORDS printed by others, and the command continued,
once TEXT is on the screen. The command's status is ours (a signal N is 128 + N); 99: it printed what
this terminal does not understand, or a line was wider than the screen; 98: it took too long. Its
stdout is ours, with --stdout the terminal. The terminal controls its session, so that a shell in it
can put a job into the background.
"""
import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time


class Screen:
    """As much of a terminal as a program may use that only draws lines."""

    sequence = re.compile(rb"\x1b\[(\d*)([AKJ])")

    def __init__(self, columns, rows):
        self.row = self.column = 0
        self.resize(columns, rows, [])

    def resize(self, columns, rows, cells):
        self.columns, self.rows = columns, rows
        cells = [line[:columns] + [" "] * (columns - len(line)) for line in cells[-rows:]]
        self.cells = cells + [[" "] * columns for _ in range(rows - len(cells))]
        self.row = min(self.row, rows - 1)
        self.column = min(self.column, columns - 1)

    def down(self):
        self.row += 1
        if self.row == self.rows:
            self.cells = self.cells[1:] + [[" "] * self.columns]
            self.row -= 1

    def erase(self, row, column):
        self.cells[row][column:] = [" "] * (self.columns - column)

    def obey(self, count, what):
        if what == b"A":
            self.row = max(0, self.row - int(count or 1))
        else:
            self.erase(self.row, min(self.column, self.columns))
        if what == b"J":
            for row in range(self.row + 1, self.rows):
                self.erase(row, 0)

    def show(self, data):
        """Returns what is left of an unfinished sequence or character."""
        while data:
            match = self.sequence.match(data)
            if match:
                self.obey(*match.groups())
                data = data[match.end() :]
                continue
            if data[0] == 0x1B and len(data) < 8 and not re.match(rb"\x1b\[\d*[^\d]", data):
                return data
            size = 1 if data[0] < 0x80 else 2 if data[0] < 0xE0 else 3 if data[0] < 0xF0 else 4
            if len(data) < size:
                return data
            self.put(data[:size].decode())
            data = data[size:]
        return data

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.down()
        elif not char.isprintable():
            raise ValueError(f"control character {char!r}")
        elif self.column >= self.columns:
            raise ValueError(f"line is wider than {self.columns} columns")
        else:
            self.cells[self.row][self.column] = char
            self.column += 1

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.cells).rstrip("\n")


def set_size(fd, size):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))


def size_of(text):
    columns, rows = text.split("x")
    return int(columns), int(rows)


def run(options):
    screen = Screen(*options.size)
    ours, theirs = pty.openpty()
    set_size(ours, options.size)
    child = subprocess.Popen(
        options.command,
        stdin=theirs,
        stdout=theirs if options.stdout else None,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    pictures = open(options.screens, "w", encoding="utf-8")
    end = time.monotonic() + options.limit
    rest = b""
    while True:
        if not select.select([ours], [], [], max(0, end - time.monotonic()))[0]:
            child.kill()
            return 98
        try:
            data = os.read(ours, 65536)
        except OSError:  # nobody has it open any more
            break
        if not data:
            break
        rest = screen.show(rest + data)
        print(screen.text(), "----", sep="\n", file=pictures, flush=True)
        if options.press_ctrl_c and options.press_ctrl_c in screen.text():
            child.send_signal(signal.SIGINT)
            options.press_ctrl_c = None
        if options.stop and options.stop[0] in screen.text():
            child.send_signal(signal.SIGSTOP)
            os.waitpid(child.pid, os.WUNTRACED)
            while select.select([ours], [], [], 0)[0]:  # what it drew before it stopped
                rest = screen.show(rest + os.read(ours, 65536))
            screen.show(f"\r\n{options.stop[1]}\r\n".encode())
            child.send_signal(signal.SIGCONT)
            options.stop = None
        if options.resize and options.resize[0] in screen.text():
            size = size_of(options.resize[1])
            set_size(ours, size)
            screen.resize(*size, screen.cells)
            options.resize = None
    status = child.wait()
    return status if status >= 0 else 128 - status


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=size_of, default=(80, 24))
    parser.add_argument("--press-ctrl-c")
    parser.add_argument("--resize", nargs=2)
    parser.add_argument("--stop", nargs=2)
    parser.add_argument("--stdout", action="store_true")
    parser.add_argument("--limit", type=float, default=90)
    parser.add_argument("screens")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    try:
        return run(parser.parse_args())
    except ValueError as e:
        print(f"terminal: {e}", file=sys.stderr)
        return 99


if __name__ == "__main__":
    sys.exit(main())
