#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""cpu.py PID: the CPU seconds that a process and all its descendants, living and reaped, have used so far."""
import os
import sys


def read(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15]))  # parent, utime + stime + cutime + cstime


def main():
    root = int(sys.argv[1])
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                table[int(name)] = read(name)
            except (OSError, IndexError):
                pass
    total = 0
    for pid, (_, ticks) in table.items():
        at = pid
        while at != root and at in table:
            at = table[at][0]
        if at == root:
            total += ticks
    print(total / os.sysconf("SC_CLK_TCK"))


main()
