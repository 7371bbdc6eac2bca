/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perfdata - reads what a Nagios plugin prints.
 *
 * Nagios Core splits the first line at its first '|'; later lines are long text until one has a '|', and from there on
 * everything is performance data. Icinga 2 splits every line at its first '|' when a '=' follows. Both kinds are read:
 * a line is split where a '=' follows its '|', and a whole line is performance data when it comes after a split long
 * line and reads as such from end to end.
 *
 *     'label'=value[UOM];[warn];[crit];[min];[max]        separated by blanks
 *
 * A label in quotes may have blanks, and '' for a quote. A value is a decimal number or U (unknown). Values and units
 * are taken as they are printed: thresholds in our configuration and in the plugin's arguments are then the same
 * numbers. What does not parse is left out, as both do.
 */
#include "plugins/exec/exec.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"

#define LABEL_MAX 64
#define UNIT_MAX 16
#define RANGE_MAX 64

/* ---- one datum ----------------------------------------------------------------------------------------------- */

struct datum {
    char label[LABEL_MAX + 1], unit[UNIT_MAX + 1];
    double value;
    char fields[4][RANGE_MAX + 1]; /* warn, crit, min, max; empty: none or unusable */
};

/* Adds a byte while there is room. */
static void put(char *text, size_t size, size_t *length, char c)
{
    if (*length + 1 < size)
        text[(*length)++] = c;
    text[*length] = '\0';
}

/* Cuts what a full buffer left of a UTF-8 sequence. */
static void trim_utf8(char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0 || (unsigned char)text[start - 1] < 0xC0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (length - (start - 1) < need)
        text[start - 1] = '\0';
}

/* Reads a label up to and with its '=': where the value begins, or NULL. */
static const char *read_label(const char *at, struct datum *out)
{
    size_t length = 0;
    bool quoted = *at == '\'';
    at += quoted;
    for (; *at; at++) {
        if (quoted && at[0] == '\'' && at[1] == '\'')
            at++;
        else if (quoted && *at == '\'')
            break;
        else if (!quoted && (*at == '=' || *at == ' '))
            break;
        put(out->label, sizeof out->label, &length, *at == '=' || iscntrl((unsigned char)*at) ? '_' : *at);
    }
    at += quoted && *at == '\'';
    trim_utf8(out->label, length);
    return *at == '=' && length > 0 ? at + 1 : NULL;
}

/* Where a decimal number that begins here ends, or NULL: [+-]digits[.digits][e[+-]digits]. */
static const char *skip_number(const char *at)
{
    at += *at == '-' || *at == '+';
    size_t whole = strspn(at, "0123456789");
    at += whole;
    size_t fraction = *at == '.' ? strspn(at + 1, "0123456789") : 0;
    at += *at == '.' ? fraction + 1 : 0;
    if (whole + fraction == 0)
        return NULL;
    if (*at == 'e' || *at == 'E') {
        const char *exponent = at + 1 + (at[1] == '-' || at[1] == '+');
        size_t digits = strspn(exponent, "0123456789");
        at = digits > 0 ? exponent + digits : at;
    }
    return at;
}

/* Where a Nagios range that begins here ends, or NULL: [@][~|number:]number or number: */
static const char *skip_range(const char *at)
{
    at += *at == '@';
    const char *first = *at == '~' ? at + 1 : skip_number(at);
    if (!first || *first != ':')
        return first && *at != '~' ? first : NULL;
    const char *second = skip_number(first + 1);
    return second ? second : first + 1;
}

static double range_end(const char *text)
{
    return *text == '~' ? -INFINITY : strtod(text, NULL);
}

/* A range that a plugin printed and that we can judge by; "2:1" and the like are left out. */
static bool is_range(const char *text)
{
    const char *end = skip_range(text), *colon = strchr(text, ':');
    if (!end || *end)
        return false;
    text += *text == '@';
    double low = colon ? range_end(text) : 0,
           high = colon ? (colon[1] ? range_end(colon + 1) : INFINITY) : range_end(text);
    return low <= high;
}

static bool is_number(const char *text)
{
    const char *end = skip_number(text);
    return end && !*end;
}

/* What may follow a number: nothing, or a unit that begins with a letter, '%' or a byte beyond ASCII. */
static bool is_unit_start(char c)
{
    return !c || c == ' ' || c == ';' || c == '%' || isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

static const char *read_value(const char *at, struct datum *out)
{
    const char *end = skip_number(at);
    size_t length = 0;
    if (!end && *at == 'U') {
        out->value = NAN;
        end = at + 1;
    } else if (end) {
        out->value = strtod(at, NULL);
    } else {
        return NULL;
    }
    if (!is_unit_start(*end))
        return NULL; /* "1,5" is not 1 of some unit */
    for (at = end; *at && *at != ';' && *at != ' '; at++)
        put(out->unit, sizeof out->unit, &length, *at);
    if (!isfinite(out->value))
        out->value = NAN;
    return at;
}

static const char *read_fields(const char *at, struct datum *out)
{
    for (int i = 0; *at == ';'; i++) {
        size_t length = strcspn(++at, "; ");
        bool usable = i < 4 && length <= RANGE_MAX;
        if (usable)
            memcpy(out->fields[i], at, length);
        if (usable && !(i < 2 ? is_range(out->fields[i]) : is_number(out->fields[i])))
            out->fields[i][0] = '\0';
        at += length;
    }
    return at;
}

/* Reads one datum: where the next begins, or NULL when this is none. */
static const char *read_datum(const char *at, struct datum *out)
{
    memset(out, 0, sizeof *out);
    at = read_label(at, out);
    at = at ? read_value(at, out) : NULL;
    at = at ? read_fields(at, out) : NULL;
    return at && (*at == ' ' || *at == '\0') ? at : NULL;
}

/* Past a word that is no datum: to the next blank outside quotes. */
static const char *skip_word(const char *at)
{
    bool quoted = false;
    for (; *at && (quoted || *at != ' '); at++)
        quoted ^= *at == '\'';
    return at;
}

static void measure(struct belfry_probe *p, const struct datum *datum, bool judged)
{
    bool counter = strcmp(datum->unit, "c") == 0;
    const char *fields[4];
    for (int i = 0; i < 4; i++)
        fields[i] = datum->fields[i][0] ? datum->fields[i] : NULL;
    struct belfry_sample sample = { .size = sizeof sample,
                                    .kind = counter ? BELFRY_COUNTER : BELFRY_GAUGE,
                                    .name = datum->label,
                                    .unit = datum->unit,
                                    .value = datum->value,
                                    .warn = fields[0],
                                    .crit = fields[1],
                                    .min = fields[2],
                                    .max = fields[3],
                                    .unjudged = !judged };
    belfry_measure_sample(p, &sample);
}

void exec_measure(struct belfry_probe *p, const char *at, bool judged)
{
    struct datum *datum = belfry_alloc(p, sizeof *datum);
    int count = 0;
    for (at += strspn(at, " "); *at && count < EXEC_SAMPLES_MAX; at += strspn(at, " ")) {
        const char *next = read_datum(at, datum);
        if (next) {
            measure(p, datum, judged);
            count++;
        }
        at = next ? next : skip_word(at);
    }
}

/* ---- the whole output ---------------------------------------------------------------------------------------- */

static bool is_all_data(struct belfry_probe *p, const char *line)
{
    struct datum *datum = belfry_alloc(p, sizeof *datum);
    const char *at = line + strspn(line, " ");
    if (!*at)
        return false;
    while (at && *at) {
        at = read_datum(at, datum);
        at = at ? at + strspn(at, " ") : NULL;
    }
    return at != NULL;
}

/* A growing text in room that is known to be enough. */
struct pen {
    char *text;
    size_t length;
};

static void write_text(struct pen *pen, const char *text, const char *separator)
{
    size_t before = pen->length > 0 ? strlen(separator) : 0, length = strlen(text);
    memcpy(pen->text + pen->length, separator, before);
    memcpy(pen->text + pen->length + before, text, length + 1);
    pen->length += before + length;
}

static void trim_end(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
}

/* Cuts a line where its performance data begins and returns that, or NULL. */
static char *cut_data(char *line)
{
    char *bar = strchr(line, '|');
    if (!bar || !strchr(bar, '='))
        return NULL;
    *bar = '\0';
    return bar + 1;
}

void exec_split(struct belfry_probe *p, const char *output, struct exec_text *out)
{
    size_t size = strlen(output) + 2;
    char *work = say_copy(p, output, size - 2), *first = NULL;
    struct pen rest = { belfry_alloc(p, 2 * size), 0 }, data = { belfry_alloc(p, 2 * size), 0 };
    bool seen_long_data = false;
    for (char *line = strsep(&work, "\n"); line; line = strsep(&work, "\n")) {
        for (char *c = line; *c; c++)
            *c = *c == '\t' || *c == '\r' ? ' ' : *c;
        char *found = cut_data(line);
        bool all = !found && first && seen_long_data && is_all_data(p, line);
        seen_long_data |= found && first;
        if (found || all)
            write_text(&data, all ? line : found, " ");
        trim_end(line);
        if (!first)
            first = line;
        else if (!all && (*line || rest.length > 0))
            write_text(&rest, line, "\n");
    }
    trim_end(rest.text);
    *out = (struct exec_text){ first, *rest.text ? rest.text : NULL, data.text };
}
