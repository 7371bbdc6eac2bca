/* SPDX-License-Identifier: GPL-3.0-or-later */
/* flow - one loop over two pumps: one fills the first tool from the backup, one empties the last tool into what
 * restores. Between them the tools are joined by pipes, and the bytes never come to us. Where there is no tool in
 * between, one pump does both. */
#include "core/drill/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/digest.h"

#define GULP_BYTES (256u << 10)
#define PIPE_BYTES (1 << 20)
#define NAP_MS 2 /* less than it takes to read a pipe of PIPE_BYTES */
#define STAGES_MAX 2

struct pump {
    int from, to; /* to: -1: nowhere */
    bool of_source, of_content;
    bool end, done, broken; /* broken: who reads has gone */
    bool deep;              /* to: a pipe of PIPE_BYTES */
    unsigned char *bytes;
    size_t at, length;
};

struct flowing {
    struct run *run;
    struct flow *flow;
    struct tool stages[STAGES_MAX];
    unsigned stage_count, pump_count;
    struct pump pumps[2];
    EVP_MD_CTX *hash;
    bool full; /* a probe that has what it wanted */
    int error; /* of reading the source */
};

/* ---- watching ---------------------------------------------------------------------------------------------------- */

static void keep_tail(struct flow *flow, const unsigned char *bytes, size_t n)
{
    if (n >= FLOW_TAIL_BYTES) {
        memcpy(flow->tail, bytes + n - FLOW_TAIL_BYTES, FLOW_TAIL_BYTES);
        flow->tail_length = FLOW_TAIL_BYTES;
        return;
    }
    size_t keep = flow->tail_length + n > FLOW_TAIL_BYTES ? FLOW_TAIL_BYTES - n : flow->tail_length;
    memmove(flow->tail, flow->tail + flow->tail_length - keep, keep);
    memcpy(flow->tail + keep, bytes, n);
    flow->tail_length = keep + n;
}

static void watch_content(struct flowing *f, const unsigned char *bytes, size_t n)
{
    struct head *head = f->flow->head;
    f->flow->content_bytes += (int64_t)n;
    keep_tail(f->flow, bytes, n);
    if (head && head->length < HEAD_BYTES) {
        size_t room = HEAD_BYTES - head->length;
        memcpy(head->bytes + head->length, bytes, n < room ? n : room);
        head->length += n < room ? n : room;
    }
    f->full = f->flow->probe && head && head->length == HEAD_BYTES;
}

static void watch(struct flowing *f, const struct pump *pump, const unsigned char *bytes, size_t n)
{
    if (pump->of_source && !f->flow->probe) {
        atomic_fetch_add(&f->run->outcome->bytes, (int64_t)n);
        if (f->hash)
            EVP_DigestUpdate(f->hash, bytes, n);
    }
    if (pump->of_content)
        watch_content(f, bytes, n);
}

/* ---- pumping: each returns whether it got on --------------------------------------------------------------------- */

static bool fill(struct flowing *f, struct pump *pump)
{
    ssize_t n = pump->of_source ? source_read(f->run, pump->bytes, GULP_BYTES, f->flow->probe)
                                : read(pump->from, pump->bytes, GULP_BYTES);
    f->full = n < 0 && errno == ENOBUFS; /* its head must do as it is */
    if (n < 0 && (errno == EAGAIN || errno == EINTR || f->full))
        return false;
    if (n < 0 && pump->of_source)
        f->error = -errno;
    pump->end = n <= 0;
    pump->at = 0;
    pump->length = n > 0 ? (size_t)n : 0;
    if (n > 0)
        watch(f, pump, pump->bytes, (size_t)n);
    return true;
}

static bool drain(struct pump *pump)
{
    ssize_t n = pump->to < 0 ? (ssize_t)pump->length : write(pump->to, pump->bytes + pump->at, pump->length);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < 0) {
        pump->broken = pump->end = true;
        pump->length = 0;
        return true;
    }
    pump->at += (size_t)n;
    pump->length -= (size_t)n;
    return true;
}

static bool step(struct flowing *f, struct pump *pump)
{
    if (pump->done)
        return false;
    bool moved = pump->length > 0 ? drain(pump) : !pump->end && fill(f, pump);
    if (pump->end && pump->length == 0) {
        if (pump->to >= 0 && pump->to != f->flow->file_fd)
            close(pump->to);
        if (!pump->of_source)
            close(pump->from); /* who writes there hears of it */
        pump->done = true;
    }
    return moved;
}

/* A full pipe is not waited for but left alone for a while: its reader takes a page at a time, and each would wake us
 * for a page. On a busy machine that costs a drill a quarter of its time. */
static void wait_a_moment(struct flowing *f)
{
    struct pollfd fds[8];
    nfds_t count = 0;
    int wait_ms = 50;
    for (unsigned i = 0; i < f->pump_count; i++) {
        const struct pump *pump = &f->pumps[i];
        if (pump->done)
            continue;
        if (pump->length > 0 && pump->deep)
            wait_ms = NAP_MS;
        else
            fds[count++] =
                pump->length > 0 ? (struct pollfd){ pump->to, POLLOUT, 0 } : (struct pollfd){ pump->from, POLLIN, 0 };
    }
    for (unsigned i = 0; i < f->stage_count; i++)
        if (!f->stages[i].ended)
            fds[count++] = (struct pollfd){ f->stages[i].said_fd, POLLIN, 0 };
    if (f->flow->sink && !f->flow->sink->ended)
        fds[count++] = (struct pollfd){ f->flow->sink->said_fd, POLLIN, 0 };
    poll(fds, count, wait_ms);
}

static void hear_all(struct flowing *f)
{
    for (unsigned i = 0; i < f->stage_count; i++)
        tool_hear(&f->stages[i]);
    if (f->flow->sink)
        tool_hear(f->flow->sink);
}

static void pump_all(struct flowing *f)
{
    bool busy = true;
    while (busy && !f->full) {
        bool moved = false;
        busy = false;
        for (unsigned i = 0; i < f->pump_count; i++) {
            moved |= step(f, &f->pumps[i]);
            busy |= !f->pumps[i].done;
        }
        hear_all(f);
        if (busy && !moved)
            wait_a_moment(f);
    }
}

/* ---- putting together -------------------------------------------------------------------------------------------- */

/* A pipe whose end that we hold never makes us wait. */
static int make_pipe(int fds[2], int ours)
{
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* as much as is allowed */
    if (ours >= 0)
        fcntl(fds[ours], F_SETFL, O_NONBLOCK);
    return 0;
}

static void add_pump(struct flowing *f, int from, int to, bool of_source)
{
    struct pump *pump = &f->pumps[f->pump_count++];
    *pump = (struct pump){ .from = from, .to = to, .of_source = of_source, .bytes = heap_alloc(GULP_BYTES) };
}

static int prepare_stages(struct flowing *f)
{
    const struct decoder *const decoders[] = { f->run->decrypt, f->run->unpack };
    for (size_t i = 0; i < 2 && !f->flow->raw; i++) {
        struct tool *tool = &f->stages[f->stage_count];
        if (!decoders[i])
            continue;
        tool->phase = decoders[i]->phase;
        f->stage_count++;
        if (decoders[i]->prepare(f->run, tool) != 0)
            return -1;
    }
    return 0;
}

static int start_tool(struct flowing *f, struct tool *tool, int in, int out)
{
    tool->in = in;
    if (out > 0)
        tool->out = out;
    int code = tool_start(f->run, tool);
    close(in);
    if (out > 0)
        close(out);
    if (tool->key_fd > 0)
        close(tool->key_fd);
    tool->key_fd = 0;
    return code;
}

/* Starts the stages, each reading what the one before writes; *in is what the next one reads. */
static int start_stages(struct flowing *f, int *in)
{
    for (unsigned i = 0; i < f->stage_count; i++) {
        int between[2];
        bool last = i + 1 == f->stage_count;
        if (make_pipe(between, last ? 0 : -1) != 0)
            return run_fail(f->run, PHASE_UNPACK, "no pipe: %s", strerror(errno));
        if (start_tool(f, &f->stages[i], *in, between[1]) != 0) {
            close(between[0]);
            return -1;
        }
        *in = between[0];
    }
    return 0;
}

static int start(struct flowing *f)
{
    int first[2] = { -1, -1 }, last[2] = { -1, -1 };
    struct flow *flow = f->flow;
    if (prepare_stages(f) != 0)
        return -1;
    if (f->stage_count > 0) {
        if (make_pipe(first, 1) != 0)
            return run_fail(f->run, PHASE_FETCH, "no pipe: %s", strerror(errno));
        int from = first[0];
        add_pump(f, f->run->source.fd, first[1], true);
        f->pumps[0].deep = fcntl(first[1], F_GETPIPE_SZ) >= PIPE_BYTES;
        if (start_stages(f, &from) != 0)
            return -1;
        add_pump(f, from, -1, false);
    } else {
        add_pump(f, f->run->source.fd, -1, true);
    }
    struct pump *pump = &f->pumps[f->pump_count - 1];
    pump->of_content = true;
    pump->to = flow->file_fd > 0 ? flow->file_fd : -1;
    if (!flow->sink)
        return 0;
    if (make_pipe(last, 1) != 0)
        return run_fail(f->run, flow->sink->phase, "no pipe: %s", strerror(errno));
    pump->to = last[1];
    pump->deep = fcntl(last[1], F_GETPIPE_SZ) >= PIPE_BYTES;
    return start_tool(f, flow->sink, last[0], 0);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* Whose fault it was: of one who stopped reading while the others still wrote, else the first that failed. */
static const struct tool *find_guilty(struct flowing *f)
{
    const struct tool *sink = f->flow->sink;
    if (sink && f->pumps[f->pump_count - 1].broken && !tool_good(sink))
        return sink;
    for (unsigned i = 0; i < f->stage_count; i++)
        if (!tool_good(&f->stages[i]))
            return &f->stages[i];
    return sink && !tool_good(sink) ? sink : NULL;
}

static int judge(struct flowing *f)
{
    struct run *run = f->run;
    if (f->error != 0)
        return run_fail(run, PHASE_FETCH, "'%s' can't be read: %s", run->source.path, error_text(f->error));
    const struct tool *guilty = find_guilty(f);
    if (guilty)
        return tool_blame(run, guilty);
    for (unsigned i = 0; i < f->pump_count; i++)
        if (f->pumps[i].broken)
            return run_fail(run, PHASE_RESTORE, "what was restored could not all be written");
    return 0;
}

static void await_tools(struct flowing *f)
{
    struct tool *sink = f->flow->sink;
    bool busy = true;
    while (busy) {
        busy = sink && !tool_ended(f->run, sink);
        for (unsigned i = 0; i < f->stage_count; i++)
            busy |= !tool_ended(f->run, &f->stages[i]);
        hear_all(f);
        if (busy)
            poll(NULL, 0, 2);
    }
}

static void close_all(struct flowing *f, bool good)
{
    unsigned char digest[DIGEST_SIZE];
    for (unsigned i = 0; i < f->stage_count; i++)
        tool_kill(f->run, &f->stages[i]);
    if (f->flow->sink)
        tool_kill(f->run, f->flow->sink);
    for (unsigned i = 0; i < f->pump_count; i++) {
        struct pump *pump = &f->pumps[i];
        if (!pump->done && pump->to >= 0 && pump->to != f->flow->file_fd)
            close(pump->to);
        if (!pump->done && !pump->of_source)
            close(pump->from);
        free(pump->bytes);
    }
    if (f->hash && good && EVP_DigestFinal_ex(f->hash, digest, NULL) == 1)
        digest_hex(digest, f->run->outcome->sha256);
    EVP_MD_CTX_free(f->hash);
}

int flow_run(struct run *run, struct flow *flow)
{
    struct flowing f = { .run = run, .flow = flow };
    if (source_rewind(run) != 0)
        return -1;
    if (!flow->probe) {
        f.hash = EVP_MD_CTX_new();
        EVP_DigestInit_ex(f.hash, EVP_sha256(), NULL);
    }
    int code = start(&f);
    if (code == 0)
        pump_all(&f);
    bool read_all = code == 0 && !f.full && f.error == 0 && !f.pumps[0].broken;
    if (code == 0 && !f.full) {
        await_tools(&f);
        code = judge(&f);
    }
    close_all(&f, read_all);
    flow->tail[flow->tail_length] = '\0';
    return code;
}
