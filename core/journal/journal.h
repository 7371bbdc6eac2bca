/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal - the append-only, hash-chained record of what happened (format: top of segment.c and doc/journal-format.md).
 *
 * Writing: journal_append() composes and chains a record at once and hands it to the one journal thread, which writes
 * and fdatasyncs in groups and then signals the event descriptor; nothing that depends on a record may be shown before
 * journal_durable() has reached its number. While a write fails, records wait in memory (journal_stalled()). After a
 * failed fdatasync nothing is acknowledged any more (journal_error()): the caller stops. Reading and verifying need no
 * daemon and no lock. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"

#define JOURNAL_RECORD_MAX (256u << 10) /* bytes of a line; longer texts are cut by the caller */

struct journal;
struct key; /* key.h */

/* One record as it stands in the file. The pointers live for the call. */
struct journal_record {
    uint64_t seq;
    int64_t wall_ms;
    const char *type, *who; /* NUL-terminated copies */
    const char *line;       /* the raw line without newline */
    size_t length;
    const char *segment; /* file name */
    uint64_t line_number;
};
/* Returns 0 to go on; anything else stops and is returned by the function that called it. */
typedef int (*journal_visit)(void *context, const struct journal_record *record);

/* How long finished segments are kept; 0: for ever. */
struct journal_keep {
    int64_t ms;     /* since their last record; measured at the beginning of the newest segment */
    uint64_t bytes; /* the whole journal's files */
};

struct journal_options {
    const char *folder;     /* made when missing, mode 0700 */
    uint64_t segment_bytes; /* a new segment begins when one is larger; 0: 16 MiB */
    int64_t sync_every_ms;  /* 0: always, else journal_durable() is ahead of the disk by as much (and a sync) */
    uint64_t reserve_bytes; /* kept free for a full disk; 0: none */
    bool tend;              /* finished segments are compressed and indexed, and dropped when they are ripe */
};

struct journal_recovery {
    bool cut; /* a torn last record was cut; it is kept in `saved` */
    char segment[64];
    uint64_t offset, bytes;
    char sha256[65];      /* of the cut bytes */
    char saved[128];      /* file name beside the segment */
    char damage[256];     /* damage elsewhere, or "": the segment was left alone and a new one begun */
    uint32_t fault_count; /* lines at fault, of which the first 16 are kept */
    struct journal_fault {
        char segment[64];
        uint64_t line; /* 0: the segment as a whole, or its end */
        char kind[32]; /* as doc/journal-format.md names them */
        char text[160];
    } faults[16];
    char end_segment[64]; /* where writing goes on, or went on from */
    uint64_t end_bytes, end_seq;
};

/* Opens for writing: repairs a torn tail, calls visit for every record with seq > after (visit may be NULL), starts the
 * thread. The caller holds the state folder's lock. *recovery says what was found; recording it as an event is the
 * caller's. */
int journal_open(const struct journal_options *options, uint64_t after, journal_visit visit, void *context,
                 struct journal **out, struct journal_recovery *recovery, struct why *why);
/* A journal that can be read but not written (-ENOSPC, -EROFS, -EIO) is opened all the same, stalled, and *recovery is
 * what was read. What is to be repaired is, as soon as that can be written; then this is true once, with what was done.
 */
bool journal_recovered(struct journal *journal, struct journal_recovery *recovery);
/* Takes over all but the folder, from the next record on. */
void journal_configure(struct journal *journal, const struct journal_options *options);
/* Waits until everything queued is on disk (or failed), ends the thread, frees. 0 or the journal's error. */
int journal_close(struct journal **journal);

/* Appends {"seq":..,"at":..,"type":type,"who":who,"prev":..,MEMBERS,"hash":..}; members as event_encode() writes them
 * ("" for none). Returns the record's number. Never blocks on the disk. */
uint64_t journal_append(struct journal *journal, int64_t wall_ms, const char *type, const char *who,
                        const char *members);
/* The same for a record that is signed when its place in the chain is known: the last of its members is then
 * "mac":"<64 hex digits>", which sign makes from the line's bytes before it. */
struct journal_entry {
    int64_t wall_ms;
    const char *type, *who, *members; /* members not empty when it is signed */
    void (*sign)(void *context, const char *bytes, size_t length, char mac[65]); /* or NULL */
    void *context;
};
uint64_t journal_append_entry(struct journal *journal, const struct journal_entry *entry);
/* The journal's id, and the hash of the last record appended. */
const char *journal_id(const struct journal *journal);
const char *journal_head(const struct journal *journal);
/* Has the journal's thread call task once record `seq` is on disk; task(context, false) from journal_close() when it
 * never got there. For what must not be true on disk before the record is. */
typedef void (*journal_task)(void *context, bool durable);
void journal_after(struct journal *journal, uint64_t seq, journal_task task, void *context);
/* The number of the last record appended, and of the last one that is on disk. */
uint64_t journal_last(const struct journal *journal);
uint64_t journal_durable(const struct journal *journal);
/* An eventfd that becomes readable when journal_durable() or journal_error() changed; the reader clears it. */
int journal_event_fd(const struct journal *journal);
/* 0, or the negative code after which nothing is acknowledged. */
int journal_error(const struct journal *journal);
/* 0, or the negative code for which nothing can be written just now (-ENOSPC, -EROFS, -EIO ...): what is queued waits
 * in memory and is tried again each second. The event descriptor tells of it, and of the next one. */
int journal_stalled(const struct journal *journal);
/* Space is short: the reserve was given back to go on for a while. */
bool journal_is_low(const struct journal *journal);
/* Bytes queued and not yet on disk (a stalled disk shows here). */
uint64_t journal_queued_bytes(const struct journal *journal);

/* Hands a snapshot to the thread: written atomically to path once record `seq` is on disk. A newer one replaces a
 * waiting one. The file is one line {"seq":..,"hash":..,"snapshot":JSON} with the SHA-256 of seq and JSON. */
void journal_snapshot(struct journal *journal, const char *path, uint64_t seq, const char *json, size_t length);
/* Reads it back: 0 with *json in the arena, -ENOENT, or ERROR_DAMAGED (then it is as if there were none). */
int journal_snapshot_read(struct arena *arena, const char *path, uint64_t *seq, char **json, size_t *length);

/* Retention. A segment that is older than wanted is ripe (the event descriptor says so). The caller sees that no state
 * depends on it (a checkpoint behind *last_seq is in the journal), appends its tombstone with journal_drop(), which is
 * a journal.dropped record, and lets the files go once that and all records until then are on disk. */
void journal_set_keep(struct journal *journal, const struct journal_keep *keep);
bool journal_ripe(const struct journal *journal, uint64_t *last_seq);
uint64_t journal_drop(struct journal *journal, int64_t wall_ms);
void journal_drop_files(struct journal *journal);

/* ---- reading, without the daemon ------------------------------------------------------------------------------- */

/* As in the filter. */
struct journal_pick {
    const char *type, *subject;
};
struct journal_filter {
    int64_t since_ms, until_ms;   /* wall, 0: open */
    const char *type;             /* "check.state", or a prefix ending in '.' ("breaker."), or NULL */
    const char *subject;          /* "service" or "service/check" (also @instances), a breaker or a plugin; or NULL */
    const char *text;             /* substring of the raw line, case-insensitive; or NULL */
    uint64_t last;                /* only the last n that match; 0: all */
    bool follow;                  /* go on with new records until visit stops it */
    uint64_t first_seq, last_seq; /* only records with numbers from .. to, 0: open */
    const struct journal_pick *picks; /* beside all that one of these must hold, unless there are none */
    size_t pick_count;
};
int journal_query(const char *folder, const struct journal_filter *filter, journal_visit visit, void *context,
                  struct why *why);

/* The hash of record seq, when it is there and stands by itself: 0, -ENOENT or a negative code. */
int journal_find(const char *folder, uint64_t seq, char hash[65]);

/* A head of the journal that was noted down elsewhere. */
struct journal_anchor {
    uint64_t seq;
    char hash[65];
    char journal[33]; /* id, or "": not said */
};

/* What verify is to hold the journal against beside itself. Everything may be left out. */
struct journal_proof {
    const struct key *keys; /* the first keys: one for each time that sealing was begun */
    size_t key_count;
    const struct journal_anchor *anchors;
    size_t anchor_count;
    int64_t now_ms;     /* wall: the journal was read (or copied) then, so a seal must not be overdue; 0: not known */
    uint64_t key_epoch; /* of the daemon's own key, read before: so far the seals must have come; 0: not known */
};

struct journal_report {
    uint64_t records, segments, first_seq, last_seq;
    char journal_id[40];
    char head_hash[65];
    bool torn_tail;        /* an unfinished last line: normal after a crash, not tampering */
    uint64_t dropped_seq;  /* retention has dropped the records up to this one, 0: none; */
    int64_t dropped_ms;    /* the last of them then */
    uint64_t seals;        /* journal.sealed records, */
    uint64_t seals_held;   /* of which so many are made with the right key */
    uint64_t seal_epoch;   /* of the last one, */
    int64_t sealed_ms;     /* its time, */
    uint64_t unsealed;     /* and how many records are behind it */
    bool stopped;          /* it was made at a clean stop, and nothing is behind it */
    uint64_t anchors_held; /* anchors that the journal agrees with */
    uint32_t fault_count;  /* of which the first 16 are kept */
    struct journal_fault faults[16];
};
/* Checks everything from the raw bytes. proof may be NULL. 0 when it could be read (whatever it found), or a negative
 * code. */
int journal_verify(const char *folder, const struct journal_proof *proof, struct journal_report *report,
                   struct why *why);

#endif
