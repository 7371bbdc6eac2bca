#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutants.py [NUMBER|TEXT] - the proof that the tests of the journal can see: one sync, one sync of a folder or one check at a
time is taken out of a copy of one source file, the copy is linked into the campaign that is named for it, and that
campaign must fail. NUMBER: only so many of them, spread over the table (TEXT: those with
it in their names). A campaign is a program of tests/unit, or a test of tests/system that runs a belfryd with the copy in it.
CC and MUTANT_CPPFLAGS, _CFLAGS, _LDFLAGS, _LIBS and _DAEMON (belfryd's objects and libraries) are those of the build (make sets
them). Exit status 0: every mutant was caught; 1: one survived, or does not build.

A row whose code isn't found exactly once is an error: the table has to follow the code."""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

TOP, BUILD = os.environ["top_srcdir"], os.environ["top_builddir"]
SYNC, CRASH = "disk->sync(disk->self, ", "test_journal_crash"

# what is missing, file, code, what stands in its place, the campaign
MUTANTS = [
    ("fdatasync of what was written", "journal/live.c", "int code = live->disk->sync(live->disk->self, live->fd);", "int code = 0;", CRASH),
    ("folder sync after a new segment", "journal/live.c", "code = live->disk->sync_folder(live->disk->self, live->folder);", ";", CRASH),
    ("sync before the next segment", "journal/pump.c", "code = settle(j);\n        if (code == 0)\n            code = live_create", "code = 0;\n        if (code == 0)\n            code = live_create", CRASH),
    ("acknowledgement after the sync, not before", "journal/pump.c", "if (code == 0 && j->written > atomic_load(&j->durable))", "if (j->written > atomic_load(&j->durable))", CRASH),
    ("no acknowledgement after a failed sync", "journal/pump.c", "    if (code < 0)\n        return fail(j, code);\n    j->synced", "    j->synced", CRASH),
    ("sync of the folder's parent", "journal/live.c", "int code = live->disk->sync_folder(live->disk->self, parent);", "int code = 0;", CRASH),
    ("sync of the first segment", "journal/writer.c", "        code = live_sync(&j->live);", "        code = 0;", CRASH),
    ("sync of what a killed daemon wrote", "journal/recover.c", "    int code = disk->sync(disk->self, fd);\n    if (code == 0)\n        code = disk->sync_folder(disk->self, r->request->folder);\n    if (code == 0)\n        posix_fadvise", "    int code = disk->sync_folder(disk->self, r->request->folder);\n    if (code == 0)\n        posix_fadvise", CRASH),
    ("folder sync of what a killed daemon made", "journal/recover.c", "        code = disk->sync_folder(disk->self, r->request->folder);\n    if (code == 0)\n        posix_fadvise", "        code = 0;\n    if (code == 0)\n        posix_fadvise", CRASH),
    ("sync of the copy of a torn tail", "journal/recover.c", "        code = disk->sync(disk->self, to);", "        code = 0;", CRASH),
    ("folder sync of the copy of a torn tail", "journal/recover.c", "        code = disk->sync_folder(disk->self, r->request->folder);\n    close(to);", "        code = 0;\n    close(to);", CRASH),
    ("copy of a torn tail", "journal/recover.c", "    int code = save_tail(r, segment, fd, r->last_offset);", "    int code = 0;", CRASH),
    ("sync after the cut", "journal/recover.c", "        code = disk->sync(disk->self, fd);\n    close(fd);\n    if (code == 0)\n        report_cut", "        code = 0;\n    close(fd);\n    if (code == 0)\n        report_cut", CRASH),
    ("cut of a torn tail", "journal/recover.c", "        code = disk->truncate(disk->self, fd, r->last_offset);", "        code = 0;", CRASH),
    ("sync of a snapshot before its rename", "journal/snapshot.c", "        code = disk->sync(disk->self, fd);", "        code = 0;", CRASH),
    ("hash of a snapshot", "journal/snapshot.c", "if (memcmp(want, hash, DIGEST_HEX_SIZE - 1) != 0)", "if (0)", "test_journal"),
    ("length and name of the live file", "journal/live.c", "return st.st_nlink > 0 && (uint64_t)st.st_size == live->size ? 0 : ERROR_REFUSED;", "return 0;", "test_journal"),
    ("form of a line", "journal/chain.c", "if (record_parse(line->text, line->length, record) < 0)\n        chain_say", "if (record_parse(line->text, line->length, record) < -100000)\n        chain_say", "test_journal_verify"),
    ("hash of a line", "journal/chain.c", "else if (!record_hash_holds(line->text, line->length))", "else if (0)", "test_journal_verify"),
    ("chain: the hash before", "journal/chain.c", "if (memcmp(record->prev, want, DIGEST_HEX_SIZE - 1) == 0)", "if (want)", "test_journal_verify"),
    ("sequence", "journal/chain.c", "if (chain->begun && (chain->gap ? got <= last : got != last + 1))", "if (0)", "test_journal_verify"),
    ("sequence after a damaged line", "journal/chain.c", "chain->gap ? got <= last : got != last + 1", "chain->gap ? 0 : got != last + 1", "test_journal_verify"),
    ("the first record is 1", "journal/chain.c", "if (first_of_all && got != 1)", "if (0)", "test_journal_verify"),
    ("journal id", "journal/chain.c", "    if (memcmp(chain->journal, head->journal, SEGMENT_ID_SIZE - 1) == 0)\n        return false;", "    return false;", "test_journal_verify"),
    ("segment: its first record", "journal/chain.c", "if (!record_is(record, RECORD_SEGMENT) || record_parse_segment(record, &head) < 0)", "if (record_parse_segment(record, &head) < 0)\n        return false;\n    if (0)", "test_journal_verify"),
    ("segment: the number in its name", "journal/chain.c", "if (record->seq != segment_first_seq(chain->segment))", "if (0)", "test_journal_verify"),
    ("segment: the one before", "journal/chain.c", "memcmp(chain->before, head->previous, SEGMENT_NAME_SIZE - 1) != 0)", "0)", "test_journal_verify"),
    ("segment: the end of the one before", "journal/chain.c", "if (memcmp(end, record->prev, DIGEST_HEX_SIZE - 1) != 0)", "if (!end)", "test_journal_verify"),
    ("segment: none in the middle", "journal/chain.c", "if (line->number != 1 && record_is(record, RECORD_SEGMENT)) {", "if (0) {", "test_journal_verify"),
    ("key store only when its seal is on disk", "journal/seal.c", "int code = durable ? key_store(store->path, &store->key) : 0;", "int code = key_store(store->path, &store->key);", "test_journal_seal"),
    ("key store after its seal", "journal/seal.c", "journal_after(seal->journal, seq, store_key, store);", "store_key(store, seq > 0);", "test_journal_seal"),
    ("a compressed end: the next segment", "journal/recover.c", "end->new_segment = r->faults > 0 || r->unfinished || r->packed;", "end->new_segment = r->faults > 0 || r->unfinished;", "test_journal_space"),
    ("a compressed end: no torn tail", "journal/recover.c", "if ((r->dropped || r->packed) && (", "if (r->dropped && (", "test_journal_space"),
    ("compressing after a rotation", "journal/pump.c", "tend_wake(j->tend);", ";", "test_journal_space"),
    ("size of segments", "journal/writer.c", "j->segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES;", "j->segment_bytes = SEGMENT_BYTES;", "test_journal_space"),
    ("the reserve on a full disk", "journal/pump.c", "if (is_full(code) && reserve_release(j->live.folder)) {", "if (0) {", "test_journal_space"),
    ("the reserve at a start on a full disk", "journal/writer.c", "if ((code == -ENOSPC || code == -EDQUOT) && reserve_release(j->live.folder)) {", "if (0) {", "test_journal_space"),
    ("the reserve made again", "journal/pump.c", "publish_low(j, reserve_fill(j->live.folder, bytes) != 0);", "publish_low(j, false);", "test_journal_space"),
    ("the reserve that is not wanted any more", "journal/pump.c", "        reserve_release(j->live.folder);\n    j->reserve_made", "        ;\n    j->reserve_made", "test_journal_space"),
    ("removal of the reserve", "journal/reserve.c", "if (unlinkat(folder, RESERVE_NAME, 0) < 0)", "if (0)", "test_journal_space"),
    ("index: of this segment", "journal/index.c", "        memcmp(bytes + MAGIC_SIZE, mark, DIGEST_SIZE) != 0)", "        !mark)", "test_journal_index"),
    ("index: its checksum", "journal/index.c", "return memcmp(digest, bytes + n - DIGEST_SIZE, DIGEST_SIZE) == 0;", "return true;", "test_journal_index"),
    ("index: what it leads to is compared", "journal/reader.c", "int code = match_takes(&q->match, &line, &record) ? show", "int code = match_takes(&q->match, &line, &record) || q->index.count > 0 ? show", "test_journal_index"),
    ("index: none of lines that span members", "journal/index_make.c", "maker->odd = maker->odd || at < end;", ";", "test_journal_index"),
    ("index: names written with a backslash", "journal/index_make.c", "bool plain = memchr(line, '\\\\', length) == NULL;", "bool plain = true;", "test_journal_index"),
    ("a member's header where the buffer ends", "journal/pack.c", "at + HEADER_SIZE >= r->in_at + r->in_size", "at + HEADER_SIZE > r->in_at + r->in_size", "test_journal_index"),
    ("a snapshot of this journal", "keeper/setup.c", "           strcmp(hash, head) == 0;", "           true;", "keep.test"),
    ("the configured size of segments", "keeper/trouble.c", ".segment_bytes = keeper->config->journal_segment_bytes,", "", "keep.test"),
]


def words(name):
    return shlex.split(os.environ.get(name, ""))


def find(file, code):
    """The file's text, in which the code stands once."""
    with open(f"{TOP}/core/{file}") as source:
        text = source.read()
    if text.count(code) != 1:
        sys.exit(f"mutants: {file} has {text.count(code)} times what should be taken out: {code!r}")
    return text


def mutate(work, file, code, instead):
    with open(f"{work}/mutant.c", "w") as copy:
        copy.write(find(file, code).replace(code, instead))


def link(work, sources, to, libs):
    """What stands in the mutant is not taken from the archives behind it."""
    flags = ["-w", "-std=gnu11", *words("MUTANT_CPPFLAGS"), f"-I{TOP}", f"-I{TOP}/include", f"-I{BUILD}", *words("MUTANT_CFLAGS")]
    subprocess.run([*(words("CC") or ["cc"]), *flags, f"{work}/mutant.c", *sources, "-o", to, *words("MUTANT_LDFLAGS"), *libs],
                   cwd=BUILD, check=True)


def build(work, file, campaign):
    """The command of the campaign."""
    if not campaign.endswith(".test"):
        link(work, [f"{TOP}/tests/unit/{campaign}.c"], f"{work}/campaign", words("MUTANT_LIBS"))
        return [f"{work}/campaign"], {}
    own = f"core/{file.replace('/', '/belfryd-')[:-2]}.o"  # of a file of belfryd itself
    libs = words("MUTANT_DAEMON")
    for name in os.listdir(BUILD):  # a build folder whose belfryd is another
        os.symlink(f"{BUILD}/{name}", f"{work}/{name}")
    os.unlink(f"{work}/belfryd")
    os.unlink(f"{work}/plugins")  # plugins are looked for under their real path only
    shutil.copytree(f"{BUILD}/plugins/.libs", f"{work}/plugins/.libs", ignore=lambda _, names: [n for n in names if not n.endswith(".so")])
    link(work, [], f"{work}/belfryd", [lib for lib in libs if lib != own])
    return ["bash", f"{TOP}/tests/system/{campaign}"], {"top_builddir": work}


def caught(command, env):
    """The first point that fails, or how it died; None: it passed."""
    how = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
                          env={**os.environ, "TAP_NO_SECOND_VERIFIER": "1", **env}) as run:
        for line in run.stdout:
            if line.startswith("not ok") and not how:
                how = line.strip()
                if command[0] != "bash":  # a script has to end what it started
                    run.kill()
        status = run.wait()
    if status != 0 and not how and command[0] == "bash":
        sys.exit(f"mutants: {command[1]} ends with status {status}, but no point of it has failed")
    return how or (None if status == 0 else f"exit status {status}")


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else str(len(MUTANTS))
    number = int(only) if only.isdigit() else 0
    rows = [row for row in MUTANTS if only in row[0]] if not number else [MUTANTS[i * len(MUTANTS) // number] for i in range(min(number, len(MUTANTS)))]
    for _, file, code, _, _ in MUTANTS:  # before the first is built
        find(file, code)
    survivors = 0
    for what, file, code, instead, campaign in rows:
        with tempfile.TemporaryDirectory(prefix="belfry-mutant-") as work:
            mutate(work, file, code, instead)
            how = caught(*build(work, file, campaign))
        survivors += how is None
        print(f"  {'SURVIVED' if how is None else 'caught'}: without {what} ({file}) by {campaign}: {how or ''}"[:170], flush=True)
    print(f"mutants: {len(rows)} of {len(MUTANTS)}, {len(rows) - survivors} caught, {survivors} survived")
    return 1 if survivors else 0


sys.exit(main())
