/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql-link - one connection, by libmariadb's _start and _cont functions over belfry_wait().
 *
 * Two things would block inside the library, and neither does here (doc/adr/0030-mariadb-tls-aside.md):
 *   - names: belfry_resolve() finds the addresses and the library is given each in turn. The certificate is still
 *     checked against the name: the library copies the host text after the TCP connection is made, so the text is
 *     changed in between. A library that copied it earlier would check against the address and refuse.
 *   - the TLS handshake, for which the library makes the socket a blocking one: that one call is made by a short-lived
 *     thread while the run waits for it, and at the deadline a shutdown of the socket ends the call.
 *
 * Against a hostile server: packets of at most PACKET_MAX, answers of at most ROWS_MAX rows and BYTES_MAX, no LOAD DATA
 * LOCAL, and no authentication that sends the password as it is or asks at a terminal.
 */
#include "plugins/common/sql-steps.h"

#include <arpa/inet.h>
#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plugins/common/net.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"

/* Of the library's own coroutine. OpenSSL runs on it; without, the smaller one spares a mapping a run. */
#define STACK_BYTES ((size_t)64 * 1024)
#define TLS_STACK_BYTES ((size_t)256 * 1024)
#define THREAD_BYTES ((size_t)256 * 1024)
#define PACKET_MAX ((size_t)1024 * 1024)
#define UNWIND_MAX 32
#define STEP_FAILED (-4096) /* no errno */
#define SHARE_LEAST_MS 250

int sql_fail(struct sql_link *link, unsigned int code, const char *why)
{
    link->code = code;
    link->cause = sql_cause_of(code);
    link->why = why;
    return -1;
}

/* "Can't connect to local server through socket '/run/x.sock' (2)": the number in it, else 0. */
static int error_in(const char *text)
{
    const char *at = strrchr(text, '(');
    return at && at[1 + strspn(at + 1, "0123456789")] == ')' ? (int)strtol(at + 1, NULL, 10) : 0;
}

/* What the library or the server said; where the library only guesses, what the system said. */
int sql_take_error(struct sql_link *link)
{
    unsigned int code = mysql_errno(link->mysql);
    bool broken = code == CR_SERVER_LOST || code == CR_SERVER_GONE_ERROR;
    if (code == CR_CONNECTION_ERROR && link->os_error == 0)
        link->os_error = error_in(mysql_error(link->mysql));
    if ((broken || code == CR_CONN_HOST_ERROR || code == CR_CONNECTION_ERROR) && link->os_error != 0)
        return sql_fail(link, code, say_error(link->p, link->os_error));
    if (broken)
        return sql_fail(link, code, "it closed the connection, or sent what is no packet");
    return sql_fail(link, code, sql_line(link->p, mysql_error(link->mysql)));
}

/* ---- a call that may block, by a thread ---------------------------------------------------------------------------
 */

struct aside {
    const struct sql_step *step;
    struct sql_link *link;
    int got, status, done, error;
};

static void *call_aside(void *argument)
{
    struct aside *aside = argument;
    uint64_t one = 1;
    errno = 0;
    aside->status = aside->step->go_on(aside->link, aside->step->result, aside->got);
    aside->error = errno;
    mysql_thread_end();
    return write(aside->done, &one, sizeof one) < 0 ? NULL : aside;
}

static int start_thread(pthread_t *thread, struct aside *aside)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return -ENOMEM;
    pthread_attr_setstacksize(&attributes, THREAD_BYTES);
    sigfillset(&all);
    /* what a fault in the thread itself raises stays open */
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(thread, &attributes, call_aside, aside);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

/* The status of the step, or a negative errno when no thread can be had. The thread has ended when this returns. */
static int step_aside(struct sql_link *link, const struct sql_step *step, int got)
{
    struct aside aside = { .step = step, .link = link, .got = got };
    int hold = fcntl(mysql_get_socket(link->mysql), F_DUPFD_CLOEXEC, 3); /* the library may close its own */
    aside.done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t thread;
    int error = hold < 0 || aside.done < 0 ? -errno : start_thread(&thread, &aside);
    if (error == 0) {
        if (belfry_wait(link->p, aside.done, POLLIN, now_left_ms(link->until)) <= 0) {
            link->late = true;
            link->phase = SQL_TLS; /* all else that the library waits for, it waits for by us */
            shutdown(hold, SHUT_RDWR);
        }
        pthread_join(thread, NULL);
    }
    if (hold >= 0)
        close(hold);
    if (aside.done >= 0)
        close(aside.done);
    link->os_error = aside.error;
    return error < 0 ? error : aside.status;
}

/* ---- steps ----------------------------------------------------------------------------------------------------------
 */

/* Without what the library leaves behind by itself: EAGAIN when it waits, EBADF when a socket was closed twice. */
static int read_errno(void)
{
    return errno == EAGAIN || errno == EINPROGRESS || errno == EBADF ? 0 : errno;
}

static int step_here(struct sql_link *link, const struct sql_step *step, int got)
{
    errno = 0;
    int status = step->go_on(link, step->result, got);
    link->os_error = read_errno();
    return status;
}

static int step_on(struct sql_link *link, const struct sql_step *step, int got)
{
    if (!link->connecting || !link->tls)
        return step_here(link, step, got);
    /* the TCP connection is there or has failed: from now on the host text is a name to verify */
    memcpy(link->host, link->tls_name, strlen(link->tls_name) + 1);
    if (mysql_get_ssl_cipher(link->mysql) || got == MYSQL_WAIT_TIMEOUT)
        return step_here(link, step, got);
    return step_aside(link, step, got);
}

/* Waits for what the library asked for; what it got, or a negative errno. */
static int await(struct sql_link *link, int wanted, int64_t limit_ms)
{
    short events = (short)((wanted & MYSQL_WAIT_READ ? POLLIN : 0) | (wanted & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                           (wanted & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
    int64_t timeout = wanted & MYSQL_WAIT_TIMEOUT ? (int64_t)mysql_get_timeout_value_ms(link->mysql) : -1;
    int64_t left = now_left_ms(link->until);
    if (limit_ms >= 0 && (timeout < 0 || timeout > limit_ms))
        timeout = limit_ms;
    if (left >= 0 && (timeout < 0 || timeout > left))
        timeout = left;
    int ready = belfry_wait(link->p, mysql_get_socket(link->mysql), events, timeout);
    if (ready == 0)
        return left >= 0 && now_left_ms(link->until) == 0 ? -ETIMEDOUT : MYSQL_WAIT_TIMEOUT;
    if (ready < 0)
        return ready;
    int got = (ready & POLLIN ? MYSQL_WAIT_READ : 0) | (ready & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
              (ready & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
    return got != 0 ? got & wanted : wanted & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE); /* an error or a hang-up */
}

/* Lets the library find out that it is over, so that it releases what its coroutine holds. */
static void unwind(struct sql_link *link, const struct sql_step *step)
{
    int fd = mysql_get_socket(link->mysql);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    for (int i = 0, status = 1; status > 0 && i < UNWIND_MAX; i++)
        status = step->go_on(link, step->result, MYSQL_WAIT_TIMEOUT);
    link->dead = true;
}

/* Waits for what the library asked for, and lets it go on: its status, a negative errno, or STEP_FAILED: then what
 * failed is in link. */
static int take_step(struct sql_link *link, const struct sql_step *step, int wanted, int64_t limit_ms)
{
    int got = await(link, wanted, limit_ms);
    link->late = link->late || got == -ETIMEDOUT;
    if (got < 0)
        return got;
    bool read = mysql_get_server_info(link->mysql) != NULL; /* the greeting: it was there at once */
    if (link->connecting && link->phase == SQL_CONNECTING && got != MYSQL_WAIT_TIMEOUT && !read && sql_meet(link) < 0)
        return STEP_FAILED;
    int status = step_on(link, step, got);
    if (got == MYSQL_WAIT_TIMEOUT && link->os_error == 0)
        link->os_error = ETIMEDOUT;
    if (status > 0 && link->connecting && !link->late) /* the library waits by itself only for TLS */
        link->phase = SQL_LOGGING_IN;
    return status;
}

/* Runs an operation to its end: 0, or -1 when it was given up. limit_ms bounds the first wait. */
int sql_run_steps(struct sql_link *link, const struct sql_step *step, int status, int64_t limit_ms)
{
    for (; status > 0; limit_ms = -1)
        status = take_step(link, step, status, limit_ms);
    if (status == 0)
        return 0;
    unwind(link, step);
    return status == STEP_FAILED ? -1 : sql_fail(link, CR_SERVER_LOST, say_error(link->p, status));
}

static int go_on_connecting(struct sql_link *link, void *result, int got)
{
    return mysql_real_connect_cont(result, link->mysql, got);
}

/* ---- connecting
 * ------------------------------------------------------------------------------------------------------ */

static void set_options(MYSQL *mysql, const struct sql_target *target, int64_t left_ms)
{
    size_t stack = target->tls ? TLS_STACK_BYTES : STACK_BYTES, packet = PACKET_MAX;
    unsigned int seconds = (unsigned int)(left_ms / 1000 + 2), off = 0;
    my_bool on = 1;
    mysql_optionsv(mysql, MYSQL_OPT_NONBLOCK, &stack);
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH,
                   "mysql_native_password,client_ed25519,parsec,caching_sha2_password,sha256_password");
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "belfry");
    if (!target->tls)
        return;
    mysql_ssl_set(mysql, target->tls_key, target->tls_cert, target->tls_ca, NULL, NULL);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
    mysql_optionsv(mysql, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
}

/* One address, or the socket: 0 or -1. */
static int connect_one(struct sql_link *link, const struct sql_target *target, unsigned int port, int64_t limit_ms)
{
    link->mysql = mysql_init(NULL);
    if (!link->mysql)
        return sql_fail(link, CR_OUT_OF_MEMORY, "out of memory");
    set_options(link->mysql, target, belfry_left_ms(link->p));
    link->connecting = true;
    link->tls = target->tls;
    link->phase = SQL_CONNECTING;
    MYSQL *result = NULL;
    struct sql_step step = { go_on_connecting, &result };
    errno = 0;
    int status = mysql_real_connect_start(&result, link->mysql, target->socket ? NULL : link->host, target->user,
                                          target->password, target->database, port, target->socket,
                                          target->many ? CLIENT_MULTI_STATEMENTS : 0);
    link->os_error = read_errno();
    int error = sql_run_steps(link, &step, status, limit_ms);
    link->connecting = false;
    if (error == 0 && !result)
        error = sql_take_error(link);
    if (error == 0 && target->tls && !mysql_get_ssl_cipher(link->mysql))
        error = sql_fail(link, CR_SSL_CONNECTION_ERROR, "the connection is not encrypted"); /* must never be */
    return error;
}

static const char *to_text(const struct belfry_address *address, char *text)
{
    const struct sockaddr_in *v4 = (const void *)&address->address;
    const struct sockaddr_in6 *v6 = (const void *)&address->address;
    return address->family == AF_INET6 ? inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN)
                                       : inet_ntop(AF_INET, &v4->sin_addr, text, INET6_ADDRSTRLEN);
}

static bool may_try_next(const struct sql_link *link)
{
    return !link->late && (link->code == CR_CONN_HOST_ERROR || link->code == CR_CONNECTION_ERROR);
}

static int open_host(struct sql_link *link, const struct sql_target *target)
{
    struct belfry_address addresses[NET_ADDRESSES_MAX];
    const char *why = NULL;
    int error = -1, count = belfry_resolve(link->p, target->host, target->port, target->family, SOCK_STREAM, addresses,
                                           NET_ADDRESSES_MAX, &why);
    link->peer = belfry_print(link->p, "%s:%s", target->host, target->port);
    if (count <= 0)
        return sql_fail(link, CR_UNKNOWN_HOST, why ? why : "no address");
    link->tls_name = target->tls_name ? target->tls_name : target->host;
    link->host = belfry_alloc(link->p, INET6_ADDRSTRLEN + (strlen(link->tls_name)) + 1);
    for (int i = 0; i < count && error != 0; i++) {
        sql_close(link);
        link->peer = say_address(link->p, &addresses[i]);
        if (!to_text(&addresses[i], link->host))
            return sql_fail(link, CR_UNKNOWN_HOST, "no usable address");
        int64_t share = belfry_left_ms(link->p) / (count - i);
        error = connect_one(link, target, (unsigned int)strtoul(target->port, NULL, 10),
                            i + 1 < count ? (share > SHARE_LEAST_MS ? share : SHARE_LEAST_MS) : -1);
        if (error < 0 && !may_try_next(link))
            break;
    }
    return error;
}

const char *sql_problem(struct belfry_probe *p, const struct sql_target *target, const char *prefix)
{
    if (target->tls && target->socket)
        return belfry_print(p,
                            "'%stls' and '%ssocket' exclude each other: a certificate names a host; remove one of them",
                            prefix, prefix);
    if (!target->tls && (target->tls_ca || target->tls_cert || target->tls_key || target->tls_name))
        return belfry_print(p,
                            "'%stls_ca', '%stls_cert', '%stls_key' and '%stls_name' have no effect without '%stls = "
                            "true'",
                            prefix, prefix, prefix, prefix, prefix);
    return NULL;
}

int sql_open(struct sql_link *link, const struct sql_target *target)
{
    link->peer = target->socket;
    link->until = target->until;
    if ((target->socket ? connect_one(link, target, 0, -1) : open_host(link, target)) < 0)
        return -1;
    link->version = mysql_get_server_info(link->mysql);
    link->is_mariadb = link->version && strcasestr(link->version, "mariadb");
    return 0;
}

void sql_close(struct sql_link *link)
{
    if (link->mysql)
        mysql_close(link->mysql);
    link->mysql = NULL;
    link->dead = false;
}
