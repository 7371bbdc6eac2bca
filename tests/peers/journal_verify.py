#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second verifier of Belfry's journal, written from doc/journal-format.md alone; tests hold it against `belfry
journal verify`. Usage: journal_verify.py FOLDER...; for each folder it prints a summary line, one line a fault and an
empty line. The exit code is 0 when no folder had a fault, else 1."""
import hashlib
import os
import re
import sys

NAME = re.compile(r"00[0-9]{18}\.jsonl")
FORM = re.compile(
    rb'\{"seq":([1-9][0-9]{0,17}),"at":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",'
    rb'"type":"([a-z0-9_.]{1,63})","who":"((?:[^"\\]|\\.)*)","prev":"([0-9a-f]{64})"(?:,(.*))?', re.DOTALL)
TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
HEAD = re.compile(
    rb'"version":([1-9][0-9]{0,17}),"journal":"([0-9a-f]{32})","previous":'
    rb'(?:null,"end":null|"(00[0-9]{18}\.jsonl)","end":"([0-9a-f]{64})")(?:,.*)?', re.DOTALL)
LINE_MAX, TAIL_SIZE, ZEROS = 262144, 75, b"0" * 64


class Journal:
    """The state of the chain while the segments of one folder are read in order."""

    def __init__(self):
        self.faults, self.records, self.segments = [], 0, 0
        self.first = self.last = 0
        self.hash, self.id, self.gap, self.torn = b"", b"", False, False

    def head_fault(self, name, before, number, kind, prev, members):
        head = HEAD.fullmatch(members or b"") if kind == b"journal.segment" else None
        if not head:
            return "segment"
        version, journal, previous, end = head.groups()
        self.id = self.id or journal
        if journal != self.id:
            return "journal-id"
        good = version == b"1" and number == int(name[:20]) and (previous or b"").decode() == before \
            and (end or ZEROS) == prev
        return None if good else "segment"

    def place_fault(self, name, before, line_number, fields):
        number, kind, prev, members = fields
        if line_number == 1:
            fault = self.head_fault(name, before, number, kind, prev, members)
            if fault:
                return fault
        elif kind == b"journal.segment":
            return "segment"
        if self.records == 0:
            if self.gap or before:
                return None
            return "sequence" if number != 1 else "chain" if prev != ZEROS else None
        if number <= self.last if self.gap else number != self.last + 1:
            return "sequence"
        return "chain" if not self.gap and prev != self.hash else None

    def line(self, name, before, line_number, line):
        tail = TAIL.fullmatch(line[-TAIL_SIZE:])
        form = FORM.fullmatch(line[:-TAIL_SIZE]) if tail and len(line) <= LINE_MAX else None
        fault = None if form else "syntax"
        if form and hashlib.sha256(line[:-TAIL_SIZE]).hexdigest().encode() != tail[1]:
            fault = "hash"
        if fault:
            self.gap = True
        else:
            number = int(form[1])
            fault = self.place_fault(name, before, line_number, (number, form[2], form[4], form[5]))
            self.first = self.first or number
            self.records, self.last, self.hash, self.gap = self.records + 1, number, tail[1], False
        if fault:
            self.faults.append((name, line_number, fault))

    def segment(self, name, before, data, is_last):
        self.segments += 1
        *lines, rest = data.split(b"\n")
        for i, line in enumerate(lines):
            self.line(name, before, i + 1, line)
        if rest and is_last:
            self.torn = True
        elif rest:
            self.faults.append((name, len(lines) + 1, "syntax"))
            self.gap = True
        elif not lines and not is_last:
            self.faults.append((name, 0, "segment"))


def verify(folder):
    journal = Journal()
    names = sorted(name for name in os.listdir(folder) if NAME.fullmatch(name))
    for i, name in enumerate(names):
        with open(os.path.join(folder, name), "rb") as file:
            journal.segment(name, names[i - 1] if i else "", file.read(), i + 1 == len(names))
    print("records", journal.records, "segments", journal.segments, "first", journal.first, "last", journal.last,
          "torn", int(journal.torn), "journal", journal.id.decode(), "head", journal.hash.decode())
    for fault in journal.faults:
        print("fault", *fault)
    print(flush=True)
    return not journal.faults


if __name__ == "__main__":
    sys.exit(0 if all([verify(folder) for folder in sys.argv[1:]]) else 1)
