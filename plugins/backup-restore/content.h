/* SPDX-License-Identifier: GPL-3.0-or-later */
/* content - what is in a backup, found while its bytes pass by: dumps of MariaDB, MySQL and PostgreSQL, Redis RDB,
 * tar, and the formats of encryption. */
#ifndef PLUGINS_BACKUP_CONTENT_H
#define PLUGINS_BACKUP_CONTENT_H

#include "plugins/backup-restore/backup.h"

#define CONTENT_HEAD 16384
#define CONTENT_TAIL 4096
#define CONTENT_EXPECT_MAX 16

#define TAR_RECORDS_MAX 8192

struct tar_walk {
    unsigned char header[512];
    size_t filled;
    uint64_t skip; /* bytes of the member's data that are still to pass */
    uint64_t size; /* of those that come behind what describes the member further */
    uint64_t members;
    char records[TAR_RECORDS_MAX]; /* of pax, as they pass */
    size_t record_bytes;
    bool in_records, in_map, has_size;
    int zeros; /* blocks of zeros in a row */
    bool ended, broken;
};

/* OpenPGP packets, as far as their lengths tell where the file ends. */
struct pgp_walk {
    uint64_t left; /* of the packet's body, or of its current part */
    unsigned char length[6];
    size_t filled;
    int state; /* see content-crypt.c */
    bool partial, broken, endless;
    int first_tag, data_tag;
};

struct content {
    struct backup_run *run;
    unsigned char head[CONTENT_HEAD], tail[CONTENT_TAIL];
    size_t head_size, tail_size;
    uint64_t total;
    uint64_t crc;          /* of Redis, over all but the last 8 bytes */
    unsigned char held[8]; /* those */
    size_t held_size;
    struct tar_walk tar;
    struct pgp_walk pgp;
    bool is_rdb, is_tar, is_pgp, known;
    bool summed;                            /* its checksum is the one that its manifest says */
    uint64_t tables, rows;                  /* statements that make them */
    const char *expect[CONTENT_EXPECT_MAX]; /* texts that must be there */
    bool seen[CONTENT_EXPECT_MAX];
    size_t expected;
    uint64_t histogram[256]; /* of a part of the bytes */
};

void content_feed(void *content, const unsigned char *bytes, size_t count);
/* What it was; packed: the name of what it was packed in, or NULL. */
void content_end(struct content *c, const char *packed, struct backup_proof *proof);

/* content-crypt.c: the cipher's name when the content is encrypted by its format, and what is wrong with it. */
bool crypt_end(struct content *c, struct backup_proof *proof);
void pgp_begin(struct pgp_walk *w);
void pgp_feed(struct pgp_walk *w, const unsigned char *bytes, size_t count);
/* Whether the bytes begin as an OpenPGP message that is encrypted does. */
bool pgp_encrypted(const unsigned char *bytes, size_t count);

/* content-redis.c */
uint64_t redis_crc(uint64_t crc, const unsigned char *bytes, size_t count);
void redis_end(struct content *c, struct backup_proof *proof);

/* content-tar.c */
bool tar_begins(const unsigned char *bytes, size_t count);
void tar_feed(struct tar_walk *w, const unsigned char *bytes, size_t count);

/* content-pg.c: the archive of pg_dump -Fc, read from its file; also the head of one in another format. */
void pg_end(struct content *c, struct backup_proof *proof);
void pg_read_archive(struct backup_run *run, const char *path, struct backup_proof *proof);

#endif
