#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutants.py [NUMBER|TEXT] - the proof that the tests of the journal can see: one sync, one sync of a folder or one check at a
time is taken out of a copy of one source file, the copy is linked into the campaign that is named for it, and that
campaign must fail. NUMBER: only so many of them, spread over the table (TEXT: those with
it in their names). CC and MUTANT_CPPFLAGS, _CFLAGS,
_LDFLAGS and _LIBS are those of the build (make sets them). Exit status 0: every mutant was caught; 1: one survived; 77: no compiler.

A row whose code isn't found exactly once is an error: the table has to follow the code."""
import os
import shlex
import subprocess
import sys
import tempfile

TOP, BUILD = os.environ["top_srcdir"], os.environ["top_builddir"]
SYNC, CRASH = "disk->sync(disk->self, ", "test_journal_crash"

# what is missing, file, code, what stands in its place, the campaign
MUTANTS = [
    ("fdatasync of what was written", "live.c", "int code = live->disk->sync(live->disk->self, live->fd);", "int code = 0;", CRASH),
    ("folder sync after a new segment", "live.c", "code = live->disk->sync_folder(live->disk->self, live->folder);", ";", CRASH),
    ("sync before the next segment", "pump.c", "code = settle(j);\n        if (code == 0)\n            code = live_create", "code = 0;\n        if (code == 0)\n            code = live_create", CRASH),
    ("acknowledgement after the sync, not before", "pump.c", "if (code == 0 && j->written > atomic_load(&j->durable))", "if (j->written > atomic_load(&j->durable))", CRASH),
    ("no acknowledgement after a failed sync", "pump.c", "    if (code < 0)\n        return fail(j, code);\n    j->synced", "    j->synced", CRASH),
    ("sync of the folder's parent", "writer.c", "int code = j->live.disk->sync_folder(j->live.disk->self, parent);", "int code = 0;", CRASH),
    ("sync of the first segment", "writer.c", "        code = live_sync(&j->live);", "        code = 0;", CRASH),
    ("sync of what a killed daemon wrote", "recover.c", "    int code = disk->sync(disk->self, fd);\n    if (code == 0)\n        code = disk->sync_folder(disk->self, r->request->folder);\n    if (code == 0)\n        posix_fadvise", "    int code = disk->sync_folder(disk->self, r->request->folder);\n    if (code == 0)\n        posix_fadvise", CRASH),
    ("folder sync of what a killed daemon made", "recover.c", "        code = disk->sync_folder(disk->self, r->request->folder);\n    if (code == 0)\n        posix_fadvise", "        code = 0;\n    if (code == 0)\n        posix_fadvise", CRASH),
    ("sync of the copy of a torn tail", "recover.c", "        code = disk->sync(disk->self, to);", "        code = 0;", CRASH),
    ("folder sync of the copy of a torn tail", "recover.c", "        code = disk->sync_folder(disk->self, r->request->folder);\n    close(to);", "        code = 0;\n    close(to);", CRASH),
    ("copy of a torn tail", "recover.c", "    int code = save_tail(r, segment, fd, r->last_offset);", "    int code = 0;", CRASH),
    ("sync after the cut", "recover.c", "        code = disk->sync(disk->self, fd);\n    close(fd);\n    if (code == 0)\n        report_cut", "        code = 0;\n    close(fd);\n    if (code == 0)\n        report_cut", CRASH),
    ("cut of a torn tail", "recover.c", "        code = disk->truncate(disk->self, fd, r->last_offset);", "        code = 0;", CRASH),
    ("sync of a snapshot before its rename", "snapshot.c", "        code = disk->sync(disk->self, fd);", "        code = 0;", CRASH),
    ("hash of a snapshot", "snapshot.c", "if (memcmp(want, hash, DIGEST_HEX_SIZE - 1) != 0)", "if (0)", "test_journal"),
    ("length and name of the live file", "live.c", "return st.st_nlink > 0 && (uint64_t)st.st_size == live->size ? 0 : ERROR_REFUSED;", "return 0;", "test_journal"),
    ("form of a line", "chain.c", "if (record_parse(line->text, line->length, record) < 0)\n        say", "if (record_parse(line->text, line->length, record) < -100000)\n        say", "test_journal_verify"),
    ("hash of a line", "chain.c", "else if (!record_hash_holds(line->text, line->length))", "else if (0)", "test_journal_verify"),
    ("chain: the hash before", "chain.c", "if (memcmp(record->prev, want, DIGEST_HEX_SIZE - 1) == 0)", "if (want)", "test_journal_verify"),
    ("sequence", "chain.c", "if (chain->begun && (chain->gap ? got <= last : got != last + 1))", "if (0)", "test_journal_verify"),
    ("sequence after a damaged line", "chain.c", "chain->gap ? got <= last : got != last + 1", "chain->gap ? 0 : got != last + 1", "test_journal_verify"),
    ("the first record is 1", "chain.c", "if (first_of_all && got != 1)", "if (0)", "test_journal_verify"),
    ("journal id", "chain.c", "    if (memcmp(chain->journal, head->journal, SEGMENT_ID_SIZE - 1) == 0)\n        return false;", "    return false;", "test_journal_verify"),
    ("segment: its first record", "chain.c", "if (!record_is(record, RECORD_SEGMENT) || record_parse_segment(record, &head) < 0)", "if (record_parse_segment(record, &head) < 0)\n        return false;\n    if (0)", "test_journal_verify"),
    ("segment: the number in its name", "chain.c", "if (record->seq != segment_first_seq(chain->segment))", "if (0)", "test_journal_verify"),
    ("segment: the one before", "chain.c", "memcmp(chain->before, head->previous, SEGMENT_NAME_SIZE - 1) != 0)", "0)", "test_journal_verify"),
    ("segment: the end of the one before", "chain.c", "if (memcmp(end, record->prev, DIGEST_HEX_SIZE - 1) != 0)", "if (!end)", "test_journal_verify"),
    ("segment: none in the middle", "chain.c", "if (line->number != 1 && record_is(record, RECORD_SEGMENT)) {", "if (0) {", "test_journal_verify"),
]


def words(name):
    return shlex.split(os.environ.get(name, ""))


def build(work, file, code, instead, campaign):
    with open(f"{TOP}/core/journal/{file}") as source:
        text = source.read()
    if text.count(code) != 1:
        sys.exit(f"mutants: {file} has {text.count(code)} times what should be taken out: {code!r}")
    with open(f"{work}/mutant.c", "w") as copy:
        copy.write(text.replace(code, instead))
    flags = ["-w", "-std=gnu11", *words("MUTANT_CPPFLAGS"), f"-I{TOP}", f"-I{TOP}/include", f"-I{BUILD}", *words("MUTANT_CFLAGS")]
    # the objects before the archive: what the mutant defines is not taken from there
    subprocess.run([*(words("CC") or ["cc"]), *flags, f"{work}/mutant.c", f"{TOP}/tests/unit/{campaign}.c", "-o", f"{work}/campaign",
                    *words("MUTANT_LDFLAGS"), *words("MUTANT_LIBS")], cwd=BUILD, check=True)


def caught(work):
    """The first point that fails, or how it died; None: it passed."""
    with subprocess.Popen([f"{work}/campaign"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
                          env={**os.environ, "TAP_NO_SECOND_VERIFIER": "1"}) as run:
        for line in run.stdout:
            if line.startswith("not ok"):
                run.kill()
                return line.strip()
        status = run.wait()
    return None if status == 0 else f"exit status {status}"


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else str(len(MUTANTS))
    number = int(only) if only.isdigit() else 0
    rows = [row for row in MUTANTS if only in row[0]] if not number else [MUTANTS[i * len(MUTANTS) // number] for i in range(min(number, len(MUTANTS)))]
    survivors = 0
    for what, file, code, instead, campaign in rows:
        with tempfile.TemporaryDirectory(prefix="belfry-mutant-") as work:
            build(work, file, code, instead, campaign)
            how = caught(work)
        survivors += how is None
        print(f"  {'SURVIVED' if how is None else 'caught'}: without {what} ({file}) by {campaign}: {how or ''}"[:170], flush=True)
    print(f"mutants: {len(rows)} of {len(MUTANTS)}, {len(rows) - survivors} caught, {survivors} survived")
    return 1 if survivors else 0


sys.exit(main())
