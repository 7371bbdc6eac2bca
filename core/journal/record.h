/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record - one line of the journal: composing it, taking it apart, and its hash. Internal to the room; the format is
 * told at the top of segment.c. */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/digest.h"
#include "core/journal/journal.h"
#include "core/journal/segment.h"

#define RECORD_TAIL_SIZE 75u /* ,"hash":"<64>"} */
#define RECORD_LEAST 210u    /* no record is shorter, its newline included */
#define RECORD_AT_SIZE 24u   /* 2026-11-21T10:31:07.123Z */
#define RECORD_TYPE_SIZE 64u
#define RECORD_WHO_SIZE 128u
#define RECORD_NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

/* A line taken apart; everything points into the line. */
struct record {
    uint64_t seq;
    const char *at, *type, *who, *prev, *members, *hash; /* who as it stands, with its escapes */
    size_t type_length, who_length, members_length;
};

/* Appends the whole line with its newline to out, and writes its hash. The type is [a-z0-9_.]+; who is cut at
 * RECORD_WHO_SIZE. */
void record_compose(struct buf *out, uint64_t seq, const char *prev, const struct journal_entry *entry,
                    char hash[DIGEST_HEX_SIZE]);
/* The line without its newline; 0 or ERROR_SYNTAX. Says nothing about the hash. */
int record_parse(const char *line, size_t length, struct record *out);
/* Whether the bytes of a parsed line give the hash that it carries. */
bool record_hash_holds(const char *line, size_t length);
int64_t record_wall_ms(const struct record *record);

/* Makes what journal_visit gets; it borrows from line and texts. */
struct record_texts {
    char type[RECORD_TYPE_SIZE], who[RECORD_WHO_SIZE];
};
void record_show(const struct record *record, const struct segment_line *line, const char *segment,
                 struct record_texts *texts, struct journal_record *out);

/* The members of a journal.segment record. */
#define RECORD_SEGMENT "journal.segment"
struct record_segment {
    uint64_t version;
    const char *journal;  /* 32 hex */
    const char *previous; /* 26 characters: a file name; NULL in a journal's first segment */
    const char *end;      /* 64 hex; NULL likewise */
};
int record_parse_segment(const struct record *record, struct record_segment *out);

/* The members of a journal.sealed record. */
#define RECORD_SEALED "journal.sealed"
#define RECORD_MAC_SIZE 73u /* ,"mac":"<64>" */
struct record_seal {
    uint64_t epoch;
    uint64_t every_s;       /* the next seal comes within so many seconds */
    bool begins, stops;     /* "why": "begin" or "stop" */
    const char *mac;        /* 64 hex */
    const char *signed_end; /* the line's bytes before this are signed */
};
/* The members of a journal.dropped record: a whole segment, the first one of that time, was removed by retention. */
#define RECORD_DROPPED "journal.dropped"
struct record_dropped {
    char segment[SEGMENT_NAME_SIZE], next[SEGMENT_NAME_SIZE]; /* the one removed, the one behind it */
    uint64_t last_seq;                                        /* the number of its last record */
    char end[DIGEST_HEX_SIZE];                                /* the hash of that */
    uint64_t records, faults;                                 /* that stood by themselves; lines at fault */
    uint64_t begun, epoch, every_s;                           /* of seals up to there: how often begun, the last one; */
    int64_t sealed_ms;                                        /* its time; all 0: there was none */
};
void record_compose_dropped(struct buf *members, const struct record_dropped *dropped);
int record_parse_dropped(const struct record *record, struct record_dropped *out);

bool record_is(const struct record *record, const char *type);
int record_parse_seal(const struct record *record, struct record_seal *out);

/* The time of a segment's first record; otherwise, when that can't be read. */
int64_t record_begin_ms(int folder, const char *segment, int64_t otherwise);

#endif
