/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry journal verify, seal, head - proving that the journal is what was written: the chain of hashes, the seals with
 * a key that was kept elsewhere, and heads that were noted down elsewhere. All read files; no daemon is needed.
 *
 * verify's exit status: 0 all that protects the journal was checked and holds; 1 something does not; 3 the chain holds,
 * but there are seals and no key was given, so who could write the files may have written all of them anew. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/places.h"
#include "core/cli/proof.h"
#include "core/journal/anchor.h"
#include "core/journal/journal.h"
#include "core/journal/key.h"

#define KEYS_MAX 16

struct args {
    const char *folder, *key;
    struct words anchors;
    int64_t as_of_ms;
    bool setup;
};

/* One verification: what was given, what was found. */
struct proof {
    const char *folder;
    struct key keys[KEYS_MAX];
    struct anchor_list anchors;
    struct journal_proof given;
    struct journal_report report;
};

static int fail(struct cli *cli, const char *folder, int code, const struct why *why)
{
    if (*why->text)
        return cli_fail(cli, "%s", why->text);
    return cli_fail(cli, "can't read the journal '%s': %s", folder, error_text(code));
}

/* ---- verify: what is given ------------------------------------------------------------------------------------- */

/* One key a line, in the order in which sealing was begun; "-": stdin. */
static int read_keys(const char *path, struct proof *proof, struct why *why)
{
    char line[256];
    int code = 0;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return why_say(why, -errno, "the key '%s' can't be read: %s", path, error_text(-errno));
    while (code == 0 && fgets(line, sizeof line, file)) {
        const char *text = line + strspn(line, " \t\r\n");
        line[(size_t)(text - line) + strcspn(text, " \t\r\n")] = '\0';
        if (*text == '\0' || *text == '#')
            continue;
        if (proof->given.key_count == KEYS_MAX || key_parse(text, &proof->keys[proof->given.key_count++]) != 0)
            code = why_say(why, ERROR_SYNTAX,
                           "'%s' is no key: write the line that 'belfry journal seal --setup' showed", path);
    }
    explicit_bzero(line, sizeof line);
    if (file != stdin)
        fclose(file);
    if (code == 0 && proof->given.key_count == 0)
        code = why_say(why, ERROR_SYNTAX, "there is no key in '%s'", path);
    return code;
}

static void add_anchors(struct anchor_list *to, const struct journal_anchor *items, size_t count)
{
    to->items = heap_grow(to->items, to->count + count, sizeof *to->items);
    memcpy(to->items + to->count, items, count * sizeof *items);
    to->count += count;
}

static int read_anchors(const struct words *words, struct proof *proof, struct why *why)
{
    for (size_t i = 0; i < words->count; i++) {
        struct journal_anchor anchor;
        struct anchor_list list;
        if (anchor_parse(words->items[i], &anchor) == 0) {
            add_anchors(&proof->anchors, &anchor, 1);
            continue;
        }
        int code = anchor_read(words->items[i], &list, why);
        if (code < 0)
            return code;
        add_anchors(&proof->anchors, list.items, list.count);
        anchor_close(&list);
    }
    anchor_sort(&proof->anchors);
    proof->given.anchors = proof->anchors.items;
    proof->given.anchor_count = proof->anchors.count;
    return 0;
}

static int gather(const struct args *args, struct proof *proof, struct why *why)
{
    proof->given.keys = proof->keys;
    proof->given.now_ms = args->as_of_ms ? args->as_of_ms : clock_wall_ms();
    int code = args->key ? read_keys(args->key, proof, why) : 0;
    return code < 0 ? code : read_anchors(&args->anchors, proof, why);
}

/* How far the daemon's own key has come. Read before the journal, so that the journal is never behind it. */
static uint64_t own_epoch(const char *path)
{
    struct key key = { 0 };
    struct why why;
    uint64_t epoch = key_read(path, &key, &why) == 0 ? key.epoch : 0;
    key_wipe(&key);
    return epoch;
}

/* ---- verify: what is found ------------------------------------------------------------------------------------- */

static uint32_t listed(const struct journal_report *report)
{
    uint32_t most = sizeof report->faults / sizeof *report->faults;
    return report->fault_count < most ? report->fault_count : most;
}

/* The word for how far the seals were checked. */
static const char *sealing(const struct proof *proof)
{
    if (proof->report.seals == 0)
        return "none";
    return proof->given.key_count == 0                       ? "not checked"
           : proof->report.seals_held == proof->report.seals ? "checked"
                                                             : "failed";
}

static json_t *pack_seals(const struct proof *proof)
{
    const struct journal_report *report = &proof->report;
    char at[TEXT_TIME_SIZE];
    return json_pack("{ss sI sI sI ss* sI sb}", "state", sealing(proof), "count", (json_int_t)report->seals, "held",
                     (json_int_t)report->seals_held, "epoch", (json_int_t)report->seal_epoch, "at",
                     report->seals ? text_format_utc(at, report->sealed_ms) : NULL, "unsealed",
                     (json_int_t)report->unsealed, "stopped", (int)report->stopped);
}

static json_t *pack_report(struct cli *cli, const struct proof *proof)
{
    const struct journal_report *report = &proof->report;
    json_t *faults = json_array();
    for (uint32_t i = 0; i < listed(report); i++)
        json_array_append_new(faults,
                              json_pack("{ss sI ss ss}", "segment", cli_visible(cli, report->faults[i].segment), "line",
                                        (json_int_t)report->faults[i].line, "kind", report->faults[i].kind, "text",
                                        cli_visible(cli, report->faults[i].text)));
    return json_pack("{sb ss ss sI sI sI sI sI ss sb so sI si so}", "ok", report->fault_count == 0, "folder",
                     proof->folder, "journal", report->journal_id, "records", (json_int_t)report->records, "segments",
                     (json_int_t)report->segments, "first_seq", (json_int_t)report->first_seq, "last_seq",
                     (json_int_t)report->last_seq, "dropped_seq", (json_int_t)report->dropped_seq, "head",
                     report->head_hash, "torn_tail", (int)report->torn_tail, "seals", pack_seals(proof), "anchors_held",
                     (json_int_t)report->anchors_held, "fault_count", (int)report->fault_count, "faults", faults);
}

static void print_seals(struct buf *out, const struct journal_report *report, int64_t now_ms)
{
    char age[TEXT_DURATION_SIZE], count[TEXT_COUNT_SIZE];
    if (report->seals == 0)
        return;
    buf_print(out, "%s, the last of epoch %llu, %s old", text_count(count, report->seals, "seal"),
              (unsigned long long)report->seal_epoch, text_format_age(age, now_ms - report->sealed_ms));
    if (report->stopped)
        buf_text(out, ", at a clean stop\n");
    else
        buf_print(out, "; records since then: %llu\n", (unsigned long long)report->unsealed);
}

static void print_verdict(struct buf *out, const struct proof *proof)
{
    const struct journal_report *report = &proof->report;
    if (report->fault_count)
        buf_print(out, "DAMAGED: %u fault%s\n", report->fault_count, report->fault_count == 1 ? "" : "s");
    else if (report->seals == 0)
        buf_text(out, "good: every record is whole and chained to the one before it; none is sealed\n");
    else if (proof->given.key_count == 0)
        buf_text(out, "chain holds; seals not checked: give the key that was kept elsewhere, --key FILE\n");
    else
        buf_text(out, "good: every record is whole and chained to the one before it, and every seal is of its key\n");
}

static void print_report(struct cli *cli, const struct proof *proof)
{
    char when[TEXT_TIME_SIZE], count[TEXT_COUNT_SIZE], files[TEXT_COUNT_SIZE];
    struct buf *out = &cli->out;
    const struct journal_report *report = &proof->report;
    buf_print(out, "%s: %s, numbers %llu to %llu, %s\n", proof->folder, text_count(count, report->records, "record"),
              (unsigned long long)report->first_seq, (unsigned long long)report->last_seq,
              text_count(files, report->segments, "file"));
    if (report->dropped_seq)
        buf_print(out, "records up to %llu were dropped by retention, the last of them on %s\n",
                  (unsigned long long)report->dropped_seq, text_format_local(when, report->dropped_ms));
    if (report->records)
        buf_print(out, "journal %s, head %s\n", report->journal_id, report->head_hash);
    print_seals(out, report, proof->given.now_ms);
    if (proof->given.anchor_count)
        buf_print(out, "%llu of %s %s\n", (unsigned long long)report->anchors_held,
                  text_count(count, proof->given.anchor_count, "anchor"), report->anchors_held == 1 ? "holds" : "hold");
    if (report->torn_tail)
        buf_text(out, "the last line is unfinished: normal after a crash, the daemon repairs it at its start\n");
    for (uint32_t i = 0; i < listed(report); i++)
        buf_print(out, "%s:%llu: %s: %s\n", cli_visible(cli, report->faults[i].segment),
                  (unsigned long long)report->faults[i].line, report->faults[i].kind,
                  cli_visible(cli, report->faults[i].text));
    if (report->fault_count > listed(report))
        buf_print(out, "and %u more\n", report->fault_count - listed(report));
    print_verdict(out, proof);
}

static int verify(struct cli *cli, struct proof *proof, const struct args *args)
{
    struct places places = { 0 };
    struct why why = { "" };
    int code = args->folder ? 0 : places_find(cli, &places, &why);
    proof->folder = args->folder ? args->folder : places.journal;
    if (code == 0)
        code = gather(args, proof, &why);
    if (code < 0)
        return cli_fail(cli, "%s", why.text);
    proof->given.key_epoch = args->folder ? 0 : own_epoch(places.key);
    code = journal_verify(proof->folder, &proof->given, &proof->report, &why);
    if (code != 0)
        return fail(cli, proof->folder, code, &why);
    if (proof->report.segments == 0)
        return cli_fail(cli, "there is no journal in '%s'", proof->folder);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, pack_report(cli, proof));
    else
        print_report(cli, proof);
    if (proof->report.fault_count)
        return EXIT_FAILED;
    return proof->report.seals && proof->given.key_count == 0 ? EXIT_UNKNOWN : EXIT_DONE;
}

static int run_verify(struct cli *cli, const void *args)
{
    struct proof *proof = arena_alloc(&cli->arena, sizeof *proof);
    int status = verify(cli, proof, args);
    explicit_bzero(proof->keys, sizeof proof->keys);
    anchor_close(&proof->anchors);
    return status;
}

/* ---- seal ------------------------------------------------------------------------------------------------------ */

/* The daemon's user must be able to read and replace it. */
static int give_to_owner(const char *folder, const char *path)
{
    struct stat st;
    if (geteuid() != 0)
        return 0;
    return stat(folder, &st) != 0 || chown(path, st.st_uid, st.st_gid) != 0 ? -errno : 0;
}

/* Before the first start there is no folder yet: it is made as the daemon would. */
static int store_first(struct cli *cli, const char *path, const struct key *shown)
{
    const char *folder = arena_text_n(&cli->arena, path, (size_t)(strrchr(path, '/') - path));
    struct key first = *shown;
    key_evolve(&first, 1);
    int code = file_make_folders(folder, 0700);
    if (code == 0)
        code = key_store(path, &first);
    key_wipe(&first);
    return code == 0 ? give_to_owner(folder, path) : code;
}

static int set_up(struct cli *cli, const char *path)
{
    struct key key;
    char text[KEY_TEXT_SIZE];
    if (access(path, F_OK) == 0)
        return cli_fail(cli,
                        "sealing is set up already: '%s' exists (if its first key is lost, remove the file and set it "
                        "up again; verify will name the gap)",
                        path);
    key_draw(&key);
    int code = store_first(cli, path, &key);
    if (code < 0)
        return cli_fail(cli, "the key '%s' can't be written: %s", path, error_text(code));
    key_format(text, &key);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, json_pack("{ss ss}", "key", text, "file", path));
    else
        buf_print(&cli->out,
                  "Keep this key away from this machine. It is not stored here and is not shown again:\n\n    %s\n\n"
                  "'belfry journal verify --key FILE' checks the seals with it. Sealing begins when belfryd starts or "
                  "reloads.\n",
                  text);
    key_wipe(&key);
    explicit_bzero(text, sizeof text);
    return EXIT_DONE;
}

static int show_sealing(struct cli *cli, const char *path)
{
    struct key key = { 0 };
    struct why why = { "" };
    int code = key_read(path, &key, &why);
    uint64_t epoch = key.epoch;
    key_wipe(&key);
    if (code < 0 && code != -ENOENT)
        return cli_fail(cli, "%s", why.text);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, json_pack("{sb sI}", "sealed", code == 0, "epoch", (json_int_t)epoch));
    else if (code == 0)
        buf_print(&cli->out, "the journal is sealed, epoch %llu is under way\n", (unsigned long long)epoch);
    else
        buf_text(&cli->out, "the journal is not sealed; 'belfry journal seal --setup' begins with it\n");
    return EXIT_DONE;
}

static int run_seal(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct places places;
    struct why why = { "" };
    if (places_find(cli, &places, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    return args->setup ? set_up(cli, places.key) : show_sealing(cli, places.key);
}

/* ---- head ------------------------------------------------------------------------------------------------------ */

struct head {
    struct journal_anchor anchor;
    int64_t wall_ms;
};

static int take_head(void *context, const struct journal_record *record)
{
    struct head *head = context;
    head->anchor.seq = record->seq;
    head->wall_ms = record->wall_ms;
    text_copy(head->anchor.hash, sizeof head->anchor.hash, record->line + record->length - 66);
    return 0;
}

/* Of a journal.segment record. */
static int take_id(void *context, const struct journal_record *record)
{
    struct journal_anchor *anchor = context;
    json_t *json = json_loadb(record->line, record->length, 0, NULL);
    const char *id = json_string_value(json_object_get(json, "journal"));
    text_copy(anchor->journal, sizeof anchor->journal, id ? id : "");
    json_decref(json);
    return 0;
}

int proof_head(const char *folder, struct journal_anchor *anchor, int64_t *wall_ms, struct why *why)
{
    const struct journal_filter last = { .last = 1 }, begin = { .last = 1, .type = "journal.segment" };
    struct head head = { 0 };
    int code = journal_query(folder, &last, take_head, &head, why);
    if (code == 0)
        code = journal_query(folder, &begin, take_id, &head.anchor, why);
    *anchor = head.anchor;
    *wall_ms = head.wall_ms;
    return code;
}

static int run_head(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct places places = { 0 };
    struct why why = { "" };
    struct journal_anchor head;
    int64_t wall_ms;
    char line[ANCHOR_LINE_SIZE];
    if (args->folder == NULL && places_find(cli, &places, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    const char *folder = args->folder ? args->folder : places.journal;
    int code = proof_head(folder, &head, &wall_ms, &why);
    if (code < 0)
        return fail(cli, folder, code, &why);
    if (head.seq == 0)
        return cli_fail(cli, "there is no journal in '%s'", folder);
    anchor_format(line, &head, wall_ms);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, json_pack("{ss sI ss ss#}", "journal", head.journal, "seq", (json_int_t)head.seq, "hash",
                                     head.hash, "at", line, 24));
    else
        buf_print(&cli->out, "%s\n", line);
    return EXIT_DONE;
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static const struct argument folder_arguments[] = { { "DIR", "Folder of the journal (default: the daemon's)",
                                                      .target = offsetof(struct args, folder), .words = WORDS_FILE },
                                                    { 0 } };

static const struct option verify_options[] = {
    { 'k', "key", "FILE", "Check the seals with the key in this file, - for stdin", .kind = OPTION_TEXT,
      .target = offsetof(struct args, key), .words = WORDS_FILE },
    { 'a', "anchor", "FILE|SEQ:HASH", "Compare with a head that was noted down, or with all of a file",
      .kind = OPTION_LIST, .target = offsetof(struct args, anchors), .words = WORDS_FILE },
    { 0, "as-of", "TIME", "When the copy was made (default: now): by then the last seal must not be overdue",
      .kind = OPTION_TIME, .target = offsetof(struct args, as_of_ms) },
    { 0 }
};

static const struct option seal_options[] = { { 0, "setup", NULL, "Draw the first key, show it once and begin",
                                                .kind = OPTION_FLAG, .target = offsetof(struct args, setup) },
                                              { 0 } };

static const char *const verify_examples[] = {
    "belfry journal verify --key /media/stick/belfry.key", "chain and seals",
    "belfry journal verify --anchor heads.txt ./copy --as-of '2026-11-21 10:00'",
    "a copy, against heads that were noted down", NULL
};

static const char *const head_examples[] = { "belfry journal head | ssh vault 'cat >> heads.txt'",
                                             "note the head down elsewhere, for verify --anchor", NULL };

const struct verb verb_journal_verify = {
    .name = "verify",
    .summary = "check every record, the chain of hashes, seals and anchors",
    .description =
        "Exit status 0 when all that protects the journal was checked and holds; 1 when anything was changed, "
        "removed, inserted or damaged, or a seal is missing or overdue: each fault is printed with file and "
        "line; 3 when the chain holds, but there are seals and no --key was given.",
    .examples = verify_examples,
    .arguments = folder_arguments,
    .options = verify_options,
    .args_size = sizeof(struct args),
    .run = run_verify
};

const struct verb verb_journal_seal = {
    .name = "seal",
    .summary = "whether the journal is sealed, and how to begin",
    .description =
        "A sealed journal ends each epoch (journal: { seal_every = \"15m\"; }) with a signature, and the key "
        "is then replaced by one from which it can't be computed. Who breaks in later can't rewrite what was "
        "sealed before: verify with the first key shows it.",
    .options = seal_options,
    .args_size = sizeof(struct args),
    .run = run_seal
};

const struct verb verb_journal_head = { .name = "head",
                                        .summary = "number and hash of the last record, to be noted down elsewhere",
                                        .examples = head_examples,
                                        .arguments = folder_arguments,
                                        .args_size = sizeof(struct args),
                                        .run = run_head };
