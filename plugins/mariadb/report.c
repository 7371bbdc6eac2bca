/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report - how findings become a verdict: problems are collected and the worst decides; a question that could not be
 * asked is UNKNOWN and names the right that is missing; an error that ends the run is looked up in a table.
 *
 * Only what keeps everybody out is "not reached" (refused, timed out, too many connections). What keeps only this
 * account out is UNKNOWN: the server may be well. A certificate that does not convince is CRITICAL and reached. */
#include "plugins/mariadb/mariadb.h"

#include <errmsg.h>
#include <math.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"

#define LINE_MAX_BYTES 240                  /* what servers say has its point at the end */
#define ER_NO_SECURE_TRANSPORT_MARIADB 4151 /* these two are not in older headers */
#define ER_NO_SECURE_TRANSPORT_MYSQL 3159

enum kind {
    NOT_REACHED,
    REACHED_BAD,
    NO_RIGHT
};

static const struct {
    unsigned int code;
    enum kind kind;
    const char *text;
} failures[] = {
    { CR_UNKNOWN_HOST, NOT_REACHED, "cannot be found" },
    { CR_CONNECTION_ERROR, NOT_REACHED, "cannot be connected to" },
    { CR_CONN_HOST_ERROR, NOT_REACHED, "cannot be connected to" },
    { CR_SERVER_LOST, NOT_REACHED, "broke the connection" },
    { CR_SERVER_GONE_ERROR, NOT_REACHED, "broke the connection" },
    { CR_VERSION_ERROR, NOT_REACHED, "does not speak the MySQL protocol" },
    { CR_MALFORMED_PACKET, NOT_REACHED, "does not speak the MySQL protocol" },
    { CR_SERVER_HANDSHAKE_ERR, NOT_REACHED, "does not speak the MySQL protocol" },
    { CR_NET_PACKET_TOO_LARGE, NOT_REACHED, "sends a packet of more than 1 MiB or no packet at all" },
    { CR_OUT_OF_MEMORY, NOT_REACHED, "cannot be asked" },
    { ER_CON_COUNT_ERROR, NOT_REACHED, "has no connection left (max_connections)" },
    { ER_SERVER_SHUTDOWN, NOT_REACHED, "is shutting down" },
    { ER_OUT_OF_RESOURCES, NOT_REACHED, "is out of memory" },
    { CR_SSL_CONNECTION_ERROR, REACHED_BAD, "cannot be talked to over verified TLS" },
    { ER_ACCESS_DENIED_ERROR, NO_RIGHT, "refuses the user or password" },
    { ER_ACCESS_DENIED_NO_PASSWORD_ERROR, NO_RIGHT, "refuses the user without a password" },
    { ER_DBACCESS_DENIED_ERROR, NO_RIGHT, "refuses the database to this user" },
    { ER_BAD_DB_ERROR, NO_RIGHT, "has no such database" },
    { ER_HOST_IS_BLOCKED, NO_RIGHT, "has blocked this host after failed connections: FLUSH HOSTS there" },
    { ER_HOST_NOT_PRIVILEGED, NO_RIGHT, "has no account for connections from this host" },
    { ER_TOO_MANY_USER_CONNECTIONS, NO_RIGHT, "has no connection left for this user" },
    { ER_USER_LIMIT_REACHED, NO_RIGHT, "has no connection left for this user (MAX_USER_CONNECTIONS)" },
    { ER_MUST_CHANGE_PASSWORD, NO_RIGHT, "wants the password changed" },
    { ER_MUST_CHANGE_PASSWORD_LOGIN, NO_RIGHT, "wants the password changed" },
    { ER_NOT_SUPPORTED_AUTH_MODE, NO_RIGHT, "wants an old way to log in" },
    { CR_AUTH_PLUGIN_CANNOT_LOAD, NO_RIGHT, "wants a way to log in that is not available" },
    { CR_PLUGIN_NOT_ALLOWED, NO_RIGHT, "wants a way to log in that would give the password away" },
    { CR_AUTH_PLUGIN_ERR, NO_RIGHT, "wants a way to log in that failed" },
    { ER_NO_SECURE_TRANSPORT_MYSQL, NO_RIGHT, "wants TLS: set 'tls = true'" },
    { ER_NO_SECURE_TRANSPORT_MARIADB, NO_RIGHT, "wants TLS: set 'tls = true'" },
};

bool mariadb_is_wire_error(unsigned int code)
{
    return IS_MYSQL_ERROR(code) || IS_MARIADB_ERROR(code);
}

void mariadb_say_failure(struct mariadb_link *link)
{
    struct belfry_probe *p = link->p;
    if (link->late) {
        belfry_unreachable(p, "%s: timed out while %s", link->peer, link->phase);
        return;
    }
    enum kind kind = mariadb_is_wire_error(link->code) ? NOT_REACHED : NO_RIGHT;
    const char *text = kind == NO_RIGHT ? "refuses to answer" : "cannot be asked";
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (failures[i].code == link->code) {
            kind = failures[i].kind;
            text = failures[i].text;
            break;
        }
    if (link->code == CR_SSL_CONNECTION_ERROR && link->tls_name)
        text = belfry_print(p, "%s as '%s'", text, link->tls_name);
    if (kind == NOT_REACHED)
        belfry_unreachable(p, "%s %s while %s: %s", link->peer, text, link->phase, link->why);
    else if (kind == REACHED_BAD)
        belfry_critical(p, "%s %s: %s", link->peer, text, link->why);
    else
        belfry_unknown(p, "%s %s: '%s' (error %u)", link->peer, text, link->why, link->code);
}

void mariadb_add_problem(struct mariadb_report *r, enum belfry_state state, const char *text)
{
    /* UNKNOWN is the largest number, yet what is known to be bad outweighs it */
    static const int weight[] = { [BELFRY_OK] = 0, [BELFRY_UNKNOWN] = 1, [BELFRY_WARNING] = 2, [BELFRY_CRITICAL] = 3 };
    r->state = weight[state] > weight[r->state] ? state : r->state;
    r->problems = r->problems ? belfry_print(r->p, "%s; %s", r->problems, text) : text;
}

bool mariadb_add_failure(struct mariadb_report *r, const char *question, const char *right)
{
    const struct mariadb_link *link = r->link;
    if (link->dead)
        return false;
    bool denied = link->code == ER_SPECIFIC_ACCESS_DENIED_ERROR || link->code == ER_ACCESS_DENIED_ERROR ||
                  link->code == ER_TABLEACCESS_DENIED_ERROR || link->code == ER_COLUMNACCESS_DENIED_ERROR ||
                  link->code == ER_DBACCESS_DENIED_ERROR;
    if (denied && right)
        mariadb_add_problem(r, BELFRY_UNKNOWN,
                            belfry_print(r->p, "%s must not be read by this user: %s", question, right));
    else
        mariadb_add_problem(r, BELFRY_UNKNOWN,
                            belfry_print(r->p, "%s cannot be read: '%s' (error %u)", question, link->why, link->code));
    return true;
}

const char *mariadb_line(struct belfry_probe *p, const char *text)
{
    size_t length = strlen(text), cut = length < LINE_MAX_BYTES ? length : LINE_MAX_BYTES;
    while (cut < length && cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) /* not inside a UTF-8 sequence */
        cut--;
    char *line = say_copy(p, text, cut);
    for (char *c = line; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c;
    return line;
}

double mariadb_number(const char *text)
{
    if (!text)
        return NAN;
    char *end;
    double value = strtod(text, &end);
    return end == text || !(fabs(value) < 1.8e19) ? NAN : value;
}

static const char *find(const struct mariadb_rows *rows, const char *name)
{
    for (size_t i = 0; rows && rows->width == 2 && i < rows->count; i++)
        if (rows->cells[i][0] && strcasecmp(rows->cells[i][0], name) == 0)
            return rows->cells[i][1];
    return NULL;
}

const char *mariadb_status(const struct mariadb_report *r, const char *name)
{
    return find(r->status, name);
}

const char *mariadb_variable(const struct mariadb_report *r, const char *name)
{
    return find(r->variables, name);
}

double mariadb_status_number(const struct mariadb_report *r, const char *name)
{
    return mariadb_number(mariadb_status(r, name));
}

double mariadb_variable_number(const struct mariadb_report *r, const char *name)
{
    return mariadb_number(mariadb_variable(r, name));
}

bool mariadb_rate(const struct mariadb_report *r, const char *name, double *per_second)
{
    double value = mariadb_status_number(r, name);
    if (!(value >= 0))
        return false;
    bool known = belfry_rate(r->p, name, strtoull(mariadb_status(r, name), NULL, 10), per_second);
    return known && !r->reset; /* the new beginning is kept all the same */
}
