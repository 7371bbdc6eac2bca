#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second verifier of Belfry's journal, written from doc/journal-format.md alone; tests hold it against `belfry
journal verify`. Usage: journal_verify.py [--key EPOCH:KEY]... [--anchor SEQ:HASH]... [--as-of TIME] [--key-epoch N]
FOLDER|EXPORT...; for each folder (or file that `belfry journal export` wrote) it prints a summary line, one line a fault and an empty line. The exit code is 0 when no folder
had a fault, else 1."""
import argparse
import calendar
import hashlib
import hmac
import json
import os
import re
import sys
import time
import zlib

NAME = re.compile(r"(00[0-9]{18}\.jsonl)(?:\.gz)?")
FORM = re.compile(
    rb'\{"seq":([1-9][0-9]{0,17}),"at":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)",'
    rb'"type":"([a-z0-9_.]{1,63})","who":"(?:[^"\\]|\\.)*","prev":"([0-9a-f]{64})"(?:,(.*))?', re.DOTALL)
TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
HEAD = re.compile(
    rb'"version":([1-9][0-9]{0,17}),"journal":"([0-9a-f]{32})","previous":'
    rb'(?:null,"end":null|"(00[0-9]{18}\.jsonl)","end":"([0-9a-f]{64})")(?:,.*)?', re.DOTALL)
SEAL = re.compile(rb'"epoch":([1-9][0-9]{0,17}),"every":([1-9][0-9]{0,17}),"why":"([a-z_]+)"(?:,.*)?,"mac":"([0-9a-f]{64})"',
                  re.DOTALL)
DROPPED = re.compile(
    rb'"segment":"(00[0-9]{18}\.jsonl)","next":"(00[0-9]{18}\.jsonl)","last":(?:0|[1-9][0-9]{0,17}),"end":"([0-9a-f]{64})",'
    rb'"records":(?:0|[1-9][0-9]{0,17}),"faults":(?:0|[1-9][0-9]{0,17})(?:,"begun":([1-9][0-9]{0,17}),"epoch":([1-9][0-9]{0,17}),'
    rb'"every":([1-9][0-9]{0,17}),"sealed":"([0-9T:.-]{23}Z)")?(?:,.*)?', re.DOTALL)
GZIP, MEMBER_MAX = b"\x1f\x8b\x08" + bytes(6) + b"\x03", 1 << 20
LINE_MAX, TAIL_SIZE, MAC_SIZE, ZEROS = 262144, 75, 73, b"0" * 64
GRACE_MS, EVERY_MAX, STEPS_MAX = 60000, 366 * 86400, 1 << 20


def wall_ms(text):
    """2026-11-21T10:31:07.123Z in milliseconds since 1970; 0 for no such time."""
    try:
        return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(text[20:23])
    except ValueError:
        return 0


def unpack(data):
    """The members of a compressed segment; None for bytes that are not an intact one."""
    at = 0
    while at < len(data):
        member, unpacked = zlib.decompressobj(31), b""
        if data.startswith(GZIP, at):
            try:
                unpacked = member.decompress(data[at:], MEMBER_MAX + 1)
            except zlib.error:
                pass
        if member.eof and len(unpacked) <= MEMBER_MAX:
            yield unpacked
            at = len(data) - len(member.unused_data)
        else:
            yield None
            at = data.find(GZIP, at + 1) if GZIP in data[at + 1:] else len(data)


def read(folder, name):
    """The bytes of a segment in pieces; the file that is not compressed is preferred."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return [file.read()]
    except FileNotFoundError:
        with open(os.path.join(folder, name + ".gz"), "rb") as file:
            return list(unpack(file.read()))


class Seals:
    """The state of the seals while lines are read in order."""

    def __init__(self, options):
        self.options, self.generation, self.inside = options, 0, False
        self.any = self.stopped = self.told = False
        self.epoch = self.at = self.every = self.seals = self.held = 0

    def seed(self, begun, epoch, every, at):
        """From the tombstone of the segment before the first one."""
        self.generation, self.any = min(int(begun), len(self.options.key)), True
        self.epoch, self.every, self.at = int(epoch), min(int(every), EVERY_MAX) * 1000, wall_ms(at.decode())

    def key(self, epoch):
        first, key = self.options.key[self.generation - 1]
        if not first <= epoch < first + STEPS_MAX:
            return None
        for _ in range(epoch - first):
            key = hashlib.sha256(b"belfry journal next key\n" + key).digest()
        return key

    def seal(self, journal, at, members, line):
        form = SEAL.fullmatch(members or b"")
        if not form:
            return "seal"
        epoch, every, why, mac = int(form[1]), int(form[2]), form[3], form[4]
        if self.inside and not self.any:  # the first seal of an export
            self.epoch = epoch - 1
        anew = why == b"begin" and epoch == 1 and self.generation < len(self.options.key)
        fault = None if anew or epoch == self.epoch + 1 else "seal-epoch"
        if anew or (not self.any and self.options.key):
            self.generation += 1
        if self.generation and not fault:
            key = self.key(epoch)
            good = key and hmac.new(key, journal + b"\n" + line[:-TAIL_SIZE - MAC_SIZE], "sha256").hexdigest().encode() == mac
            self.held += bool(good)
            fault = None if good else "seal-key"
        self.any, self.stopped, self.told, self.epoch, self.at = True, why == b"stop", False, epoch, at
        self.every, self.seals = min(every, EVERY_MAX) * 1000, self.seals + 1
        return fault

    def late(self, at):
        return self.any and at - self.at > self.every + GRACE_MS

    def line(self, journal, at, kind, members, line):
        if kind == b"journal.sealed":
            return self.seal(journal, at, members, line)
        if kind == b"journal.segment":
            return None
        self.stopped = False
        if self.told or not self.late(at):
            return None
        self.told = True
        return "seal-missing"

    def end(self):
        if self.generation < len(self.options.key):
            yield "seal-missing"
        if self.epoch + 1 < self.options.key_epoch:
            yield "seal-cut"
        if self.options.as_of and not self.stopped and self.late(self.options.as_of):
            yield "seal-overdue"


class Journal:
    """The state of the chain while the segments of one folder are read in order."""

    def __init__(self, options):
        self.seals, self.anchors = Seals(options), sorted(options.anchor)
        self.faults, self.records, self.segments, self.place = [], 0, 0, ("", 0)
        self.first = self.last = 0
        self.hash, self.id, self.gap, self.torn = b"", b"", False, False
        self.begun = False
        self.export = None  # the first line of an export, in which segments need not begin

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
        if self.export:
            self.gap = self.gap or not self.export["whole"]
        elif line_number == 1:
            fault = self.head_fault(name, before, number, kind, prev, members)
            if fault:
                return fault
        elif kind == b"journal.segment":
            return "segment"
        if not self.begun:
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
        self.place = (name, line_number)
        if fault:
            self.gap = True
        else:
            number = int(form[1])
            fault = self.place_fault(name, before, line_number, (number, form[3], form[4], form[5]))
            self.first = self.first or number
            self.records, self.last, self.hash, self.gap = self.records + 1, number, tail[1], False
            self.begun = True
            sealed = self.seals.line(self.id, wall_ms(form[2].decode()), form[3], form[5], line)
            fault = fault or sealed
            anchored = [self.anchors.pop(0) for anchor in list(self.anchors) if anchor[0] <= number]
            if any(seq >= self.first and (seq, value) != (number, self.hash) for seq, value in anchored):
                fault = fault or "anchor"
        if fault:
            self.faults.append((name, line_number, fault))

    def segment(self, name, before, pieces, is_last):
        self.segments += 1
        number, rest = 0, b""
        for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n") if piece is not None else [b""]
            for line in lines:
                number += 1
                self.line(name, before, number, line)
            if piece is None:
                number += 1
                self.place, self.gap = (name, number), True
                self.faults.append((name, number, "packed"))
        if is_last:
            self.place = (name, self.place[1])
        if rest and is_last and is_record(rest[:-1]) and rest[-1] != 0:
            self.faults.append((name, number + 1, "syntax"))
        elif rest and is_last:
            self.torn = True
        elif rest:
            self.faults.append((name, number + 1, "syntax"))
            self.gap = True
        elif not number and not is_last:
            self.faults.append((name, 0, "segment"))

    def seed(self, tomb):
        """Begins behind a segment that was dropped."""
        segment, following, end, *sealed = tomb.groups()
        self.begun, self.last, self.hash = True, int(following[:20]) - 1, end
        if sealed[0]:
            self.seals.seed(*sealed)
        return segment.decode()


def is_record(line):
    tail = TAIL.fullmatch(line[-TAIL_SIZE:])
    return bool(tail and len(line) <= LINE_MAX and FORM.fullmatch(line[:-TAIL_SIZE])
                and hashlib.sha256(line[:-TAIL_SIZE]).hexdigest().encode() == tail[1])


def find_tomb(folder, names):
    """The last record which says that what was before the first segment has been dropped."""
    found = None
    for name in names:
        for line in b"".join(piece or b"\n" for piece in read(folder, name)).split(b"\n"):
            form = FORM.fullmatch(line[:-TAIL_SIZE]) if b'"journal.dropped"' in line and is_record(line) else None
            tomb = DROPPED.fullmatch(form[5] or b"") if form and form[3] == b"journal.dropped" else None
            if tomb and tomb[2].decode() == names[0]:
                found = tomb
    return found


def verify(folder, options):
    journal = Journal(options)
    names = sorted({name[1] for name in map(NAME.fullmatch, os.listdir(folder)) if name})
    tomb = find_tomb(folder, names) if names and int(names[0][:20]) > 1 else None
    before = journal.seed(tomb) if tomb else ""
    for i, name in enumerate(names):
        journal.segment(name, names[i - 1] if i else before, read(folder, name), i + 1 == len(names))
    for fault in [*journal.seals.end(), *(["anchor"] if journal.anchors else [])]:
        journal.faults.append((*journal.place, fault))
    print("records", journal.records, "segments", journal.segments, "first", journal.first, "last", journal.last,
          "torn", int(journal.torn), "journal", journal.id.decode(), "head", journal.hash.decode(),
          "seals", journal.seals.seals, "held", journal.seals.held)
    for fault in journal.faults:
        print("fault", *fault)
    print(flush=True)
    return not journal.faults


def verify_export(path, options):
    with open(path, "rb") as file:
        title, body = file.readline(), file.read()
    told, (*lines, rest) = json.loads(title), body.split(b"\n")
    journal = Journal(options)
    journal.export, journal.id = told, told["journal"].encode()
    journal.begun, journal.last, journal.hash = True, told["first"] - 1, told["prev"].encode()
    journal.seals.inside = True
    journal.anchors = [anchor for anchor in journal.anchors if told["whole"] and told["first"] <= anchor[0] <= told["last"]]
    for number, line in enumerate(lines, 2):
        journal.line(os.path.basename(path), "", number, line)
    if told["export"] != 1 or rest or hashlib.sha256(body).hexdigest() != told["sha256"] or told["records"] != len(lines) \
            or (lines and (told["first"], told["last"], told["hash"]) != (journal.first, journal.last, journal.hash.decode())):
        journal.faults.append((*journal.place, "export"))
    print("records", journal.records, "whole", int(told["whole"]), "first", journal.first, "last", journal.last,
          "journal", journal.id.decode(), "head", journal.hash.decode(), "seals", journal.seals.seals, "held", journal.seals.held)
    for fault in journal.faults:
        print("fault", *fault)
    print(flush=True)
    return not journal.faults


def pair(text):
    number, value = text.split(":")
    return int(number), value.encode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", action="append", default=[], type=lambda text: (pair(text)[0], bytes.fromhex(pair(text)[1].decode())))
    parser.add_argument("--anchor", action="append", default=[], type=pair)
    parser.add_argument("--as-of", default=0, type=wall_ms)
    parser.add_argument("--key-epoch", default=0, type=int)
    parser.add_argument("folders", nargs="+")
    given = parser.parse_args()
    sys.exit(0 if all([(verify if os.path.isdir(path) else verify_export)(path, given) for path in given.folders]) else 1)
