/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unpack - gzip by zlib, zstd by libzstd, xz by liblzma (the latter two when Belfry was built with them).
 *
 * Libraries rather than the tools: a plugin that may start programs must be allowed to, and hostile bytes are unpacked
 * in the sandbox. Members that follow each other (cat a.gz b.gz, pigz, pzstd) are one stream; zeros after the last one
 * are padding, and anything else there is damage. Each library checks its own checksums. */
#include "config.h"

#include "plugins/backup-restore/unpack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define OUT_SIZE ((size_t)128 * 1024)
#define XZ_MEMORY ((uint64_t)256 * 1024 * 1024)
#define ZSTD_WINDOW_LOG 27

/* What one step did. */
enum step {
    STEP_MORE, /* give it more */
    STEP_END,  /* a member has ended */
    STEP_BROKEN
};

struct unpack_format {
    const char *name;
    const unsigned char magic[6];
    size_t magic_size;
    void *(*open)(void);
    /* Unpacks from *in into out: how much of each was used. */
    enum step (*step)(struct unpack *u, const unsigned char **in, size_t *left, size_t *made);
    void (*close)(void *stream);
};

static void *gzip_open(void)
{
    z_stream *z = calloc(1, sizeof *z);
    if (z && inflateInit2(z, 15 + 16) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

static void gzip_close(void *stream)
{
    inflateEnd(stream);
    free(stream);
}

static enum step gzip_step(struct unpack *u, const unsigned char **in, size_t *left, size_t *made)
{
    z_stream *z = u->stream;
    z->next_in = (unsigned char *)*in; /* zlib reads only */
    z->avail_in = (unsigned)*left;
    z->next_out = u->out;
    z->avail_out = (unsigned)OUT_SIZE;
    int code = inflate(z, Z_NO_FLUSH);
    *in += *left - z->avail_in;
    *left = z->avail_in;
    *made = OUT_SIZE - z->avail_out;
    if (code == Z_STREAM_END)
        return inflateReset(z) == Z_OK ? STEP_END : STEP_BROKEN;
    return code == Z_OK || code == Z_BUF_ERROR ? STEP_MORE : STEP_BROKEN;
}

#ifdef HAVE_LZMA
static void *xz_open(void)
{
    lzma_stream *z = malloc(sizeof *z);
    if (z) {
        *z = (lzma_stream)LZMA_STREAM_INIT;
        if (lzma_stream_decoder(z, XZ_MEMORY, 0) != LZMA_OK) {
            free(z);
            z = NULL;
        }
    }
    return z;
}

static void xz_close(void *stream)
{
    lzma_end(stream);
    free(stream);
}

static enum step xz_step(struct unpack *u, const unsigned char **in, size_t *left, size_t *made)
{
    lzma_stream *z = u->stream;
    z->next_in = *in;
    z->avail_in = *left;
    z->next_out = u->out;
    z->avail_out = OUT_SIZE;
    lzma_ret code = lzma_code(z, LZMA_RUN);
    *in = z->next_in;
    *left = z->avail_in;
    *made = OUT_SIZE - z->avail_out;
    if (code == LZMA_STREAM_END)
        return lzma_stream_decoder(z, XZ_MEMORY, 0) == LZMA_OK ? STEP_END : STEP_BROKEN;
    return code == LZMA_OK || code == LZMA_BUF_ERROR ? STEP_MORE : STEP_BROKEN;
}
#endif

#ifdef HAVE_ZSTD
static void *zstd_open(void)
{
    ZSTD_DStream *z = ZSTD_createDStream();
    if (z)
        ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    return z;
}

static void zstd_close(void *stream)
{
    ZSTD_freeDStream(stream);
}

static enum step zstd_step(struct unpack *u, const unsigned char **in, size_t *left, size_t *made)
{
    ZSTD_inBuffer from = { *in, *left, 0 };
    ZSTD_outBuffer to = { u->out, OUT_SIZE, 0 };
    size_t code = ZSTD_decompressStream(u->stream, &to, &from);
    *in += from.pos;
    *left -= from.pos;
    *made = to.pos;
    return ZSTD_isError(code) ? STEP_BROKEN : code == 0 ? STEP_END : STEP_MORE;
}
#endif

static const struct unpack_format formats[] = {
    { "gzip", { 0x1f, 0x8b }, 2, gzip_open, gzip_step, gzip_close },
#ifdef HAVE_ZSTD
    { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, zstd_open, zstd_step, zstd_close },
#else
    { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, NULL, NULL, NULL },
#endif
#ifdef HAVE_LZMA
    { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, xz_open, xz_step, xz_close },
#else
    { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, NULL, NULL, NULL },
#endif
};

bool unpack_open(struct unpack *u, const unsigned char *head, size_t count, unpack_sink *sink, void *context)
{
    *u = (struct unpack){ .sink = sink, .context = context };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0] && !u->by; i++)
        if (count >= formats[i].magic_size && memcmp(head, formats[i].magic, formats[i].magic_size) == 0)
            u->by = &formats[i];
    if (!u->by)
        return true;
    u->format = u->by->name;
    u->stream = u->by->open ? u->by->open() : NULL;
    u->out = malloc(OUT_SIZE);
    if (!u->by->open)
        u->why = "can't be unpacked: belfry was built without the library";
    else if (!u->stream || !u->out)
        u->why = "can't be unpacked: out of memory";
    return !u->why;
}

static bool only_zeros(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* What comes after a member: another, or padding. */
static bool go_on(struct unpack *u, const unsigned char *bytes, size_t count)
{
    if (!u->padded && bytes[0] == u->by->magic[0]) {
        u->between = false;
        return true;
    }
    u->padded = true;
    if (!only_zeros(bytes, count))
        u->why = "has other bytes after its end";
    return false;
}

bool unpack_feed(struct unpack *u, const unsigned char *bytes, size_t count)
{
    if (!u->by) {
        u->sink(u->context, bytes, count);
        return true;
    }
    size_t made = OUT_SIZE;
    while (count > 0 || made == OUT_SIZE) {
        if (u->between && (count == 0 || !go_on(u, bytes, count)))
            return !u->why;
        size_t before = count;
        enum step step = u->by->step(u, &bytes, &count, &made);
        u->sink(u->context, u->out, made);
        if (step == STEP_BROKEN)
            u->why = "is damaged";
        if (step == STEP_BROKEN || (step == STEP_MORE && count == before && made == 0))
            return !u->why;
        u->between = step == STEP_END;
    }
    return true;
}

bool unpack_end(struct unpack *u)
{
    if (u->by && !u->why && !u->between)
        u->why = "ends too early";
    return !u->why;
}

void unpack_close(struct unpack *u)
{
    if (u->stream)
        u->by->close(u->stream);
    free(u->out);
    u->stream = NULL;
    u->out = NULL;
}
