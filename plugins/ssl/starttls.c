/* SPDX-License-Identifier: GPL-3.0-or-later */
/* starttls - the words of a protocol before TLS begins.
 *
 * SMTP, IMAP, POP3 and FTP are lines, so they are a table of steps. LDAP sends one extended request (RFC 4511, 4.14),
 * MySQL's server greets with its abilities and the client answers with half a login packet, PostgreSQL's client asks
 * with eight bytes and is answered with one. Bytes that a server sends after its consent and before TLS are refused:
 * whoever is in between could have put them there.
 */
#include <errno.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/ssl/ssl.h"

#define LINE_MAX_BYTES 8192 /* of one answer */

struct talk {
    struct stream *s;
    const char *protocol, *why;
    bool reached;
    char *answer;
    size_t length;
    bool more; /* bytes came after the last answer */
};

/* ---- words --------------------------------------------------------------------------------------------------- */

static int broken(struct talk *t, int64_t error, const char *when)
{
    struct belfry_probe *p = t->s->p;
    if (error == 0)
        t->why = belfry_print(p, "%s: the connection was closed %s", t->protocol, when);
    else if (error == -ETIMEDOUT)
        t->why = belfry_print(p, "%s: timed out %s", t->protocol, when);
    else
        t->why = belfry_print(p, "%s: %s %s", t->protocol, stream_error(t->s, error), when);
    return error == 0 ? -ECONNRESET : (int)error;
}

static int refuse(struct talk *t, bool reached, const char *what)
{
    t->why = belfry_print(t->s->p, "%s: %s", t->protocol, what);
    t->reached = reached;
    return -EPROTO;
}

static int read_exactly(struct talk *t, void *into, size_t size, const char *when)
{
    char *to = into;
    while (size > 0) {
        int64_t n = stream_read(t->s, to, size);
        if (n <= 0)
            return broken(t, n, when);
        to += n;
        size -= (size_t)n;
    }
    return 0;
}

/* ---- lines --------------------------------------------------------------------------------------------------- */

struct step {
    const char *send;    /* NULL: the greeting */
    const char *want;    /* how the last line of the answer begins */
    const char *ability; /* what must be in the answer, or NULL */
    const char *when;
};

struct dialogue {
    const char *name, *port;
    struct step steps[4];
    int (*speak)(struct talk *t); /* for those that are no lines */
};

/* The line that ends an answer once it is there, or NULL. Lines before it belong to it: "250-SIZE" and all up to
 * "250 HELP", "* CAPABILITY" before "a OK". */
static const char *last_line(const struct talk *t, const struct step *step)
{
    bool tagged = strncmp(step->want, "a ", 2) == 0,
         opened = strspn(t->answer, "0123456789") == 3 && t->answer[3] == '-';
    for (const char *line = t->answer, *end; (end = strchr(line, '\n')); line = end + 1) {
        bool closes = strncmp(line, t->answer, 3) == 0 && line[3] != '-';
        if (tagged ? line[0] != '*' : !opened || closes)
            return line;
    }
    return NULL;
}

static int read_answer(struct talk *t, const struct step *step, const char **last)
{
    t->length = 0;
    memset(t->answer, 0, LINE_MAX_BYTES + 1);
    for (;;) {
        int64_t n = stream_read(t->s, t->answer + t->length, LINE_MAX_BYTES - t->length);
        if (n <= 0)
            return broken(t, n, step->when);
        t->length += (size_t)n;
        *last = last_line(t, step);
        t->more = *last && strchr(*last, '\n')[1] != '\0';
        if (*last)
            return 0;
        if (t->length == LINE_MAX_BYTES)
            return refuse(t, false, belfry_print(t->s->p, "more than 8 KiB %s", step->when));
    }
}

static int take_step(struct talk *t, const struct step *step)
{
    const char *last = NULL;
    int error = step->send ? stream_write(t->s, step->send, strlen(step->send)) : 0;
    if (error < 0)
        return broken(t, error, step->when);
    error = read_answer(t, step, &last);
    if (error < 0)
        return error;
    const char *said = say_excerpt(t->s->p, last, strlen(last));
    if (strncmp(last, step->want, strlen(step->want)) != 0)
        return refuse(t, step->send != NULL, belfry_print(t->s->p, "answered '%s' %s", said, step->when));
    if (step->ability && !strcasestr(t->answer, step->ability))
        return refuse(t, true, "the server does not offer STARTTLS");
    return 0;
}

/* ---- the others ---------------------------------------------------------------------------------------------- */

static int speak_ldap(struct talk *t)
{
    static const char request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
                                  "1.3.6.1.4.1.1466.20037";
    static const char when[] = "while waiting for the answer to StartTLS";
    unsigned char head[2], *body = (unsigned char *)t->answer;
    int error = stream_write(t->s, request, sizeof request - 1);
    if (error < 0)
        return broken(t, error, "while sending StartTLS");
    error = read_exactly(t, head, 2, when);
    size_t length = head[1], more = length & 0x7F;
    if (error == 0 && head[0] != 0x30)
        return refuse(t, false, "the answer is not LDAP");
    if (error == 0 && length & 0x80) {
        unsigned char bytes[4] = { 0 };
        if (more < 1 || more > 4)
            return refuse(t, false, "the answer is not LDAP");
        error = read_exactly(t, bytes, more, when);
        for (length = 0; error == 0 && more > 0; more--)
            length = length << 8 | bytes[(head[1] & 0x7F) - more];
    }
    if (error == 0 && (length < 10 || length > LINE_MAX_BYTES))
        return refuse(t, false, "the answer is not LDAP");
    error = error == 0 ? read_exactly(t, body, length, when) : error;
    if (error < 0)
        return error;
    /* message id, then ExtendedResponse with its result code as the first element */
    const unsigned char *code = memmem(body, length, "\x0a\x01", 2);
    if (memcmp(body, "\x02\x01\x01\x78", 4) != 0 || !code || code + 2 >= body + length)
        return refuse(t, false, "the answer is not one to StartTLS");
    return code[2] == 0 ? 0 : refuse(t, true, belfry_print(t->s->p, "the server refuses StartTLS: result %d", code[2]));
}

#define MYSQL_SSL 0x0800

static int speak_mysql(struct talk *t)
{
    static const char when[] = "while waiting for the greeting";
    unsigned char head[4], *body = (unsigned char *)t->answer;
    /* protocol 4.1, secure passwords, TLS; 16 MiB packets; utf8mb4 */
    unsigned char request[36] = { 32, 0, 0, 1, 0x01, 0x8A, 0, 0, 0, 0, 0, 1, 45 };
    int error = read_exactly(t, head, 4, when);
    size_t length = (size_t)(head[0] | head[1] << 8 | head[2] << 16);
    if (error == 0 && (length < 4 || length > LINE_MAX_BYTES || head[3] != 0))
        return refuse(t, false, "the greeting is not MySQL's");
    error = error == 0 ? read_exactly(t, body, length, when) : error;
    if (error < 0)
        return error;
    if (body[0] == 0xFF)
        return refuse(t, false,
                      belfry_print(t->s->p, "the server says '%s'", say_excerpt(t->s->p, body + 3, length - 3)));
    const unsigned char *end = memchr(body + 1, '\0', length - 1); /* of the version */
    if (body[0] != 10 || !end || end + 1 + 15 > body + length)
        return refuse(t, false, "the greeting is not MySQL's");
    if (!((end[14] | end[15] << 8) & MYSQL_SSL))
        return refuse(t, true, "the server does not offer TLS");
    error = stream_write(t->s, request, sizeof request);
    return error < 0 ? broken(t, error, "while asking for TLS") : 0;
}

static int speak_postgres(struct talk *t)
{
    char answer;
    int error = stream_write(t->s, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
    if (error < 0)
        return broken(t, error, "while asking for TLS");
    error = read_exactly(t, &answer, 1, "while waiting for the answer to SSLRequest");
    if (error < 0 || answer == 'S')
        return error;
    return answer == 'N' ? refuse(t, true, "the server does not offer TLS")
                         : refuse(t, false, "the answer is not PostgreSQL's");
}

/* ---- the table ----------------------------------------------------------------------------------------------- */

#define GREETING "while waiting for the greeting"

static const struct dialogue dialogues[] = {
    { "smtp",
      "25",
      { { NULL, "220", NULL, GREETING },
        { "EHLO belfry\r\n", "250", "STARTTLS", "to EHLO" },
        { "STARTTLS\r\n", "220", NULL, "to STARTTLS" } },
      NULL },
    { "imap", "143", { { NULL, "* OK", NULL, GREETING }, { "a STARTTLS\r\n", "a OK", NULL, "to STARTTLS" } }, NULL },
    { "pop3", "110", { { NULL, "+OK", NULL, GREETING }, { "STLS\r\n", "+OK", NULL, "to STLS" } }, NULL },
    { "ftp", "21", { { NULL, "220", NULL, GREETING }, { "AUTH TLS\r\n", "234", NULL, "to AUTH TLS" } }, NULL },
    { "ldap", "389", { { 0 } }, speak_ldap },
    { "mysql", "3306", { { 0 } }, speak_mysql },
    { "postgres", "5432", { { 0 } }, speak_postgres },
};

const char *const ssl_starttls[] = { "none", "smtp", "imap", "pop3", "ftp", "ldap", "mysql", "postgres", NULL };

static const struct dialogue *find(const char *protocol)
{
    for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++)
        if (strcmp(dialogues[i].name, protocol) == 0)
            return &dialogues[i];
    return NULL;
}

const char *ssl_port_of(const char *protocol)
{
    const struct dialogue *d = find(protocol);
    return d ? d->port : "443";
}

int ssl_start_by(struct stream *s, const char *protocol, const char **why, bool *reached)
{
    const struct dialogue *d = find(protocol);
    struct talk t = { .s = s, .protocol = protocol };
    int error = 0;
    *reached = false;
    if (!d)
        return 0;
    t.answer = belfry_alloc(s->p, LINE_MAX_BYTES + 1);
    if (d->speak)
        error = d->speak(&t);
    for (size_t i = 0; error == 0 && i < 4 && d->steps[i].want; i++)
        error = take_step(&t, &d->steps[i]);
    if (error == 0 && t.more)
        error = refuse(&t, true, "the server sends more than its consent before TLS begins");
    *why = t.why;
    *reached = t.reached;
    return error;
}
