/* SPDX-License-Identifier: GPL-3.0-or-later */
/* format - magic numbers, and which tool undoes what. A name's ending is a claim, the first bytes are the proof: what
 * is called .gpg and is only compressed is not encrypted. */
#include "core/drill/format.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/drill/server.h"

static bool begins(const struct head *head, const void *bytes, size_t n)
{
    return head->length >= n && memcmp(head->bytes, bytes, n) == 0;
}

#define BEGINS(head, text) begins(head, text, sizeof(text) - 1)

/* ---- encryption -------------------------------------------------------------------------------------------------- */

static bool is_age(const struct head *head)
{
    return BEGINS(head, "age-encryption.org/v1\n") || BEGINS(head, "-----BEGIN AGE ENCRYPTED FILE-----");
}

/* The first packet is a session key, for a public key or a passphrase. */
static bool is_gpg(const struct head *head)
{
    static const unsigned char first[] = { 0x84, 0x85, 0x8c, 0x8d, 0xc1, 0xc3 };
    return BEGINS(head, "-----BEGIN PGP MESSAGE-----") ||
           (head->length > 1 && memchr(first, head->bytes[0], sizeof first) != NULL);
}

static bool is_openssl(const struct head *head)
{
    return BEGINS(head, "Salted__");
}

static int prepare_age(struct run *run, struct tool *tool)
{
    tool->key_fd = tool_key(run, PHASE_DECRYPT);
    tool->argv[0] = "age";
    tool_add(tool, "--decrypt");
    tool_add(tool, "--identity");
    tool_add(tool, "/dev/fd/3");
    return tool->key_fd < 0 ? -1 : 0;
}

/* A secret key is brought into a key ring of the drill's own first; anything else is a passphrase. */
static int import_key(struct run *run)
{
    struct tool tool = { .argv = { "gpg", "--batch", "--quiet", "--import", "/dev/fd/3" }, .phase = PHASE_DECRYPT };
    tool.env[0] = arena_print(&run->arena, "GNUPGHOME=%s/gnupg", run->folder);
    tool.key_fd = tool_key(run, PHASE_DECRYPT);
    if (tool.key_fd < 0)
        return -1;
    int code = tool_run(run, &tool, NULL, 60000);
    close(tool.key_fd);
    return code == 0 ? 0 : tool_blame(run, &tool);
}

static int prepare_gpg(struct run *run, struct tool *tool)
{
    char path[PATH_MAX];
    bool first = faccessat(run->folder_fd, "gnupg", F_OK, 0) != 0;
    bool secret = run->config->key && strstr(run->config->key, "PRIVATE KEY BLOCK") != NULL;
    if (first && scratch_folder(run, "gnupg", path) != 0)
        return run_fail(run, PHASE_DECRYPT, "no folder for the key ring");
    if (first && secret && import_key(run) != 0)
        return -1;
    tool->key_fd = tool_key(run, PHASE_DECRYPT);
    tool->argv[0] = "gpg";
    tool_add(tool, "--batch");
    tool_add(tool, "--quiet");
    tool_add(tool, "--pinentry-mode=loopback");
    if (!secret)
        tool_add(tool, "--passphrase-fd=3");
    tool_add(tool, "--decrypt");
    tool->env[0] = arena_print(&run->arena, "GNUPGHOME=%s/gnupg", run->folder);
    return tool->key_fd < 0 ? -1 : 0;
}

static int prepare_openssl(struct run *run, struct tool *tool)
{
    tool->key_fd = tool_key(run, PHASE_DECRYPT);
    tool->argv[0] = "openssl";
    tool_add(tool, "enc");
    tool_add(tool, "-d");
    tool_add(tool, arena_print(&run->arena, "-%s", run->config->cipher));
    tool_add(tool, "-pbkdf2");
    tool_add(tool, "-pass");
    tool_add(tool, "fd:3");
    return tool->key_fd < 0 ? -1 : 0;
}

/* ---- compression ------------------------------------------------------------------------------------------------- */

static bool is_gzip(const struct head *head)
{
    return BEGINS(head, "\x1f\x8b");
}

static bool is_zstd(const struct head *head)
{
    return BEGINS(head, "\x28\xb5\x2f\xfd");
}

static bool is_xz(const struct head *head)
{
    return BEGINS(head, "\xfd"
                        "7zXZ");
}

static bool is_bzip2(const struct head *head)
{
    return BEGINS(head, "BZh");
}

static int prepare_unpacker(struct tool *tool, const char *name)
{
    tool->argv[0] = name;
    tool_add(tool, "-d");
    tool_add(tool, "-c");
    return 0;
}

static int prepare_gzip(struct run *run, struct tool *tool)
{
    (void)run;
    return prepare_unpacker(tool, "gzip");
}

static int prepare_zstd(struct run *run, struct tool *tool)
{
    (void)run;
    tool->argv[0] = "zstd";
    tool_add(tool, "-q");
    tool_add(tool, "-d");
    tool_add(tool, "-c");
    return 0;
}

static int prepare_xz(struct run *run, struct tool *tool)
{
    tool->argv[0] = "xz";
    tool_add(tool, arena_print(&run->arena, "--memlimit-decompress=%lld", (long long)run->config->memory_bytes));
    return prepare_unpacker(tool, "xz");
}

static int prepare_bzip2(struct run *run, struct tool *tool)
{
    (void)run;
    return prepare_unpacker(tool, "bzip2");
}

static const struct decoder decoders[] = {
    { "age", PHASE_DECRYPT, is_age, prepare_age, 1 },
    { "gpg", PHASE_DECRYPT, is_gpg, prepare_gpg, 1 },
    { "openssl", PHASE_DECRYPT, is_openssl, prepare_openssl, 1 },
    { "gzip", PHASE_UNPACK, is_gzip, prepare_gzip, 6 },
    { "zstd", PHASE_UNPACK, is_zstd, prepare_zstd, 7 },
    { "xz", PHASE_UNPACK, is_xz, prepare_xz, 9 },
    { "bzip2", PHASE_UNPACK, is_bzip2, prepare_bzip2, 8 },
};
#define DECODER_COUNT (sizeof decoders / sizeof decoders[0])

const struct decoder *decoder_find(const char *name)
{
    for (size_t i = 0; i < DECODER_COUNT; i++)
        if (strcmp(decoders[i].name, name) == 0)
            return &decoders[i];
    return NULL;
}

const struct decoder *decoder_detect(enum phase phase, const struct head *head)
{
    for (size_t i = 0; i < DECODER_COUNT; i++)
        if (decoders[i].phase == phase && decoders[i].is(head))
            return &decoders[i];
    return NULL;
}

/* ---- content ----------------------------------------------------------------------------------------------------- */

const struct backup_kind *kind_find(const char *name)
{
    for (const struct backup_kind *kind = backup_kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

const struct backup_kind *kind_detect(const struct head *head)
{
    for (const struct backup_kind *kind = backup_kinds; kind->name; kind++)
        if (kind->is && kind->is(head))
            return kind;
    return NULL;
}

static bool has_files(int fd, const char *const *files)
{
    struct stat st;
    for (; *files; files++)
        if (fstatat(fd, *files, &st, 0) != 0)
            return false;
    return true;
}

const struct backup_kind *kind_of_folder(int fd)
{
    for (const struct backup_kind *kind = backup_kinds; kind->name; kind++)
        for (size_t i = 0; i < 2 && kind->folder_files[i]; i++)
            if (has_files(fd, kind->folder_files[i]))
                return kind;
    return NULL;
}
