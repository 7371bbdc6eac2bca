/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link - one connection that speaks RESP: hiredis' formatter and reader over a waiting stream, in TLS or plain.
 *
 * hiredis' own connecting is not used: version 0.14 of Debian 12 has no time limit for it and resolves names by
 * blocking. Against a hostile server: at most REPLY_MAX bytes are read for one reply, arrays are refused at their first
 * byte (their header alone could make hiredis ask for 16 GiB), and replies are built in the run's own memory.
 */
#include "plugins/redis/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <string.h>

#include "plugins/common/say.h"

#define REPLY_MAX (1024 * 1024)
#define WORDS_MAX 8

static struct redis_reply *make_reply(const redisReadTask *task)
{
    struct redis_reply *reply = belfry_alloc(task->privdata, sizeof *reply);
    reply->type = task->type;
    reply->text = "";
    return reply;
}

static void *on_string(const redisReadTask *task, char *bytes, size_t length)
{
    struct redis_reply *reply = make_reply(task);
    reply->text = say_copy(task->privdata, bytes, length);
    return reply;
}

static void *on_integer(const redisReadTask *task, long long value)
{
    struct redis_reply *reply = make_reply(task);
    reply->integer = value;
    reply->text = belfry_print(task->privdata, "%lld", value);
    return reply;
}

static void *on_nil(const redisReadTask *task)
{
    return make_reply(task);
}

/* NULL makes the reader give up. */
static void *refuse_array(const redisReadTask *task, int elements)
{
    (void)task;
    (void)elements;
    return NULL;
}

/* The run's memory goes when the run ends. */
static void leave(void *reply)
{
    (void)reply;
}

static redisReplyObjectFunctions builders = {
    .createString = on_string,
    .createArray = refuse_array,
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
    link->reader->privdata = p;
    return 0;
}

static int send_words(struct redis_link *link, int count, const char **words)
{
    size_t lengths[WORDS_MAX];
    char *command = NULL;
    if (count > WORDS_MAX)
        return -E2BIG;
    for (int i = 0; i < count; i++)
        lengths[i] = strlen(words[i]);
    int length = redisFormatCommandArgv(&command, count, words, lengths);
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

static const struct redis_reply *refuse(struct redis_link *link, const char *word, const char **why)
{
    *why = belfry_print(link->stream.p, "does not speak the Redis protocol: its answer to %s is not one%s%s", word,
                        link->reader->err == REDIS_ERR_OOM ? "" : " - ",
                        link->reader->err == REDIS_ERR_OOM
                            ? ""
                            : say_excerpt(link->stream.p, link->reader->errstr, strlen(link->reader->errstr)));
    return NULL;
}

static const struct redis_reply *read_reply(struct redis_link *link, const char *word, const char **why)
{
    struct belfry_probe *p = link->stream.p;
    size_t total = 0;
    char *chunk = belfry_alloc(p, 16384);
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
            return refuse(link, word, why);
        if (reply)
            return reply;
        int64_t n = stream_read(&link->stream, chunk, 16384);
        total += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            *why = explain(&link->stream, word, n);
        else if (total > REPLY_MAX)
            *why = belfry_print(p, "answers %s with more than 1 MiB", word);
        else if (redisReaderFeed(link->reader, chunk, (size_t)n) == REDIS_OK)
            continue;
        else
            *why = "out of memory";
        return NULL;
    }
}

const struct redis_reply *redis_ask(struct redis_link *link, int count, const char **words, const char **why)
{
    int error = send_words(link, count, words);
    /* a server that refuses us may say why and close before it has read the command */
    if (error < 0 && error != -EPIPE && error != -ECONNRESET) {
        *why = explain(&link->stream, words[0], error);
        return NULL;
    }
    return read_reply(link, words[0], why);
}

void redis_close(struct redis_link *link)
{
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
    stream_close(&link->stream);
}
