/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link - one connection that speaks RESP: hiredis' formatter and reader over a waiting stream, in TLS or plain.
 *
 * hiredis' own connecting is not used: version 0.14 of Debian 12 has no time limit for it and resolves names by
 * blocking. Against a hostile server: at most REPLY_MAX bytes are read for one reply, an array that was not asked for
 * or that has more than ELEMENTS_MAX elements in all is refused at its first byte (its header alone could make hiredis
 * ask for 16 GiB), and replies are built in the run's own memory.
 */
#include "plugins/redis/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/say.h"

#define REPLY_MAX (1024 * 1024)
#define CHUNK_BYTES 8192 /* holds a usual INFO */
#define ELEMENTS_MAX 16384

/* A reply, and its place in the array that it is an element of. */
static struct redis_reply *make_reply(const redisReadTask *task)
{
    struct redis_link *link = task->privdata;
    struct redis_reply *reply = belfry_alloc(link->stream.p, sizeof *reply);
    reply->type = task->type;
    reply->text = "";
    if (task->parent) {
        struct redis_reply *array = task->parent->obj;
        array->items[task->idx] = reply;
    }
    return reply;
}

static void *on_string(const redisReadTask *task, char *bytes, size_t length)
{
    struct redis_link *link = task->privdata;
    struct redis_reply *reply = make_reply(task);
    reply->text = say_copy(link->stream.p, bytes, length);
    return reply;
}

static void *on_integer(const redisReadTask *task, long long value)
{
    struct redis_link *link = task->privdata;
    struct redis_reply *reply = make_reply(task);
    reply->integer = value;
    reply->text = belfry_print(link->stream.p, "%lld", value);
    return reply;
}

static void *on_nil(const redisReadTask *task)
{
    return make_reply(task);
}

/* NULL makes the reader give up. */
static void *on_array(const redisReadTask *task, int elements)
{
    struct redis_link *link = task->privdata;
    if (!link->lists || elements < 0 || (size_t)elements > ELEMENTS_MAX - link->elements)
        return NULL;
    struct redis_reply *reply = make_reply(task);
    link->elements += (size_t)elements;
    reply->count = (size_t)elements;
    reply->items = belfry_alloc(link->stream.p, (reply->count + 1) * sizeof *reply->items);
    return reply;
}

/* The run's memory goes when the run ends. */
static void leave(void *reply)
{
    (void)reply;
}

static redisReplyObjectFunctions builders = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = leave,
};

int redis_open(struct redis_link *link, struct belfry_probe *p, const struct net_target *target,
               const struct stream_tls *tls, enum tls_end *end)
{
    struct tls_report secured = { .end = TLS_UNREACHABLE };
    *link = (struct redis_link){ .stream = { .p = p, .fd = -1 } };
    int error = stream_open(&link->stream, p, target, &link->report);
    if (error == 0 && tls) {
        error = stream_start_tls(&link->stream, tls, link->report.peer, &secured);
        link->report.why = secured.why;
    }
    *end = secured.end;
    if (error < 0)
        return error;
    link->reader = redisReaderCreateWithFunctions(&builders);
    if (!link->reader) {
        link->report.why = "out of memory";
        return -ENOMEM;
    }
    link->reader->privdata = link;
    return 0;
}

static int send_words(struct redis_link *link)
{
    size_t lengths[REDIS_WORDS_MAX];
    char *command = NULL;
    int count = 0;
    for (; count < REDIS_WORDS_MAX && link->words[count]; count++)
        lengths[count] = strlen(link->words[count]);
    int length = redisFormatCommandArgv(&command, count, link->words, lengths);
    if (length < 0)
        return -ENOMEM;
    int error = stream_write(&link->stream, command, (size_t)length);
    explicit_bzero(command, (size_t)length); /* AUTH has the password in it */
    redisFreeCommand(command);
    return error;
}

static const char *explain(const struct stream *s, const char *word, int64_t error)
{
    struct belfry_probe *p = s->p;
    if (error == 0)
        return belfry_print(p, "closed the connection without an answer to %s", word);
    if (error == -ETIMEDOUT)
        return belfry_print(p, "timed out while waiting for the answer to %s", word);
    return belfry_print(p, "%s while waiting for the answer to %s", stream_error(s, error), word);
}

static const struct redis_reply *refuse(struct redis_link *link)
{
    bool ours = link->reader->err == REDIS_ERR_OOM; /* our builders gave up */
    const char *said = say_excerpt(link->stream.p, link->reader->errstr, strlen(link->reader->errstr));
    link->broken = belfry_print(link->stream.p, "does not speak the Redis protocol: its answer to %s is not one%s%s",
                                link->words[0], ours ? "" : " - ", ours ? "" : said);
    return NULL;
}

static const struct redis_reply *read_reply(struct redis_link *link)
{
    struct belfry_probe *p = link->stream.p;
    size_t total = 0;
    char chunk[CHUNK_BYTES];
    link->elements = 0;
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
            return refuse(link);
        if (reply)
            return reply;
        int64_t n = stream_read(&link->stream, chunk, sizeof chunk);
        total += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            link->broken = explain(&link->stream, link->words[0], n);
        else if (total > REPLY_MAX)
            link->broken = belfry_print(p, "answers %s with more than 1 MiB", link->words[0]);
        else if (redisReaderFeed(link->reader, chunk, (size_t)n) == REDIS_OK)
            continue;
        else
            link->broken = "has no answer: out of memory here";
        return NULL;
    }
}

static const struct redis_reply *ask(struct redis_link *link, bool lists, va_list words)
{
    memset(link->words, 0, sizeof link->words);
    for (size_t i = 0; i < REDIS_WORDS_MAX && (link->words[i] = va_arg(words, const char *)); i++)
        continue;
    link->lists = lists;
    int error = send_words(link);
    /* a server that refuses us may say why and close before it has read the command */
    if (error < 0 && error != -EPIPE && error != -ECONNRESET) {
        link->broken = explain(&link->stream, link->words[0], error);
        return NULL;
    }
    return read_reply(link);
}

const struct redis_reply *redis_ask(struct redis_link *link, ...)
{
    va_list words;
    va_start(words, link);
    const struct redis_reply *reply = ask(link, false, words);
    va_end(words);
    return reply;
}

const struct redis_reply *redis_ask_list(struct redis_link *link, ...)
{
    va_list words;
    va_start(words, link);
    const struct redis_reply *reply = ask(link, true, words);
    va_end(words);
    return reply;
}

void redis_close(struct redis_link *link)
{
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
    stream_close(&link->stream);
}

bool redis_is_error(const struct redis_reply *reply, const char *prefix)
{
    return reply->type == REDIS_REPLY_ERROR && strncasecmp(reply->text, prefix, strlen(prefix)) == 0;
}

const struct redis_reply *redis_pair(const struct redis_reply *pairs, const char *name)
{
    for (size_t i = 0; i + 1 < pairs->count; i += 2)
        if (strcmp(pairs->items[i]->text, name) == 0)
            return pairs->items[i + 1];
    return NULL;
}

const char *redis_pair_text(const struct redis_reply *pairs, const char *name)
{
    const struct redis_reply *value = redis_pair(pairs, name);
    return value ? value->text : "";
}

/* Redis has numbers as integers, Sentinel as texts. */
double redis_pair_number(const struct redis_reply *pairs, const char *name)
{
    const char *text = redis_pair_text(pairs, name);
    char *end;
    double value = strtod(text, &end);
    return end == text || *end != '\0' || !(fabs(value) < 9e18) ? NAN : value;
}
