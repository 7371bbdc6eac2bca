/* SPDX-License-Identifier: GPL-3.0-or-later */
/* content-crypt - is it encrypted? By its bytes, not by its name: a file called .gpg may be signed or compressed only.
 *
 *     age       "age-encryption.org/v1\n", lines, "--- MAC\n", then pieces of 64 KiB, each with 16 bytes of its own
 *     OpenPGP   packets: keys of the session (tag 1 or 3), then encrypted data (9, 18, 20); their lengths must end
 * where the file does. Armour holds the same in base64. openssl   "Salted__" and the salt; with -K and -iv there is no
 * header, and nothing can be told
 *
 * A truncated OpenPGP file is seen by its lengths; one of age only when the cut leaves a piece that can't be one. */
#include <string.h>

#include "plugins/backup-restore/content.h"

static const char age_magic[] = "age-encryption.org/v1\n";
static const char age_armour[] = "-----BEGIN AGE ENCRYPTED FILE-----";
static const char pgp_armour[] = "-----BEGIN PGP MESSAGE-----";

static bool begins(const struct content *c, const char *text)
{
    size_t n = strlen(text);
    return c->head_size >= n && memcmp(c->head, text, n) == 0;
}

/* ---- OpenPGP --------------------------------------------------------------------------------------------------- */

enum {
    AT_TAG,
    AT_LENGTH_NEW,
    AT_LENGTH_OLD, /* state - AT_LENGTH_OLD: see need() */
    AT_BODY = 8
};

static int tag_of(unsigned char byte)
{
    return byte & 0x40 ? byte & 0x3f : byte >> 2 & 0x0f;
}

bool pgp_encrypted(const unsigned char *bytes, size_t count)
{
    static const unsigned char firsts[] = { 0x84, 0x85, 0x86, 0x8c, 0x8d, 0xc1, 0xc3 };
    /* the packet's version follows its length: 3 or 6 of a key, 4 to 6 of a passphrase */
    return count > 16 && memchr(firsts, bytes[0], sizeof firsts) != NULL;
}

void pgp_begin(struct pgp_walk *w)
{
    *w = (struct pgp_walk){ .first_tag = -1, .data_tag = -1 };
}

static void take_tag(struct pgp_walk *w, unsigned char byte)
{
    w->broken = (byte & 0x80) == 0;
    int tag = tag_of(byte);
    if (w->first_tag < 0)
        w->first_tag = tag;
    if (tag == 9 || tag == 18 || tag == 20)
        w->data_tag = tag;
    w->filled = 0;
    w->partial = false;
    w->state = byte & 0x40 ? AT_LENGTH_NEW : AT_LENGTH_OLD + (byte & 3);
    if (!(byte & 0x40) && (byte & 3) == 3)
        w->endless = true; /* to the end of the file: nothing to compare */
}

/* How many bytes the length has, as far as it can be told by the first. */
static size_t need(const struct pgp_walk *w)
{
    static const size_t old[] = { 1, 2, 4 };
    if (w->state >= AT_LENGTH_OLD)
        return old[w->state - AT_LENGTH_OLD];
    unsigned char first = w->length[0];
    return first < 192 || (first >= 224 && first < 255) ? 1 : first == 255 ? 5 : 2;
}

static void take_length(struct pgp_walk *w, unsigned char byte)
{
    w->length[w->filled++] = byte;
    if (w->filled < need(w))
        return;
    const unsigned char *l = w->length;
    size_t from = w->state == AT_LENGTH_NEW && l[0] == 255 ? 1 : 0;
    w->left = 0;
    for (size_t i = from; i < w->filled; i++)
        w->left = w->left << 8 | l[i];
    w->partial = w->state == AT_LENGTH_NEW && l[0] >= 224 && l[0] < 255;
    if (w->partial)
        w->left = (uint64_t)1 << (l[0] & 0x1f);
    else if (w->state == AT_LENGTH_NEW && l[0] >= 192 && l[0] < 224)
        w->left = ((uint64_t)(l[0] - 192) << 8) + l[1] + 192;
    w->state = AT_BODY;
}

/* After the body of a packet, or of a part of it. */
static void end_body(struct pgp_walk *w)
{
    w->filled = 0;
    w->state = w->partial ? AT_LENGTH_NEW : AT_TAG;
}

void pgp_feed(struct pgp_walk *w, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count && !w->broken && !w->endless;) {
        if (w->state == AT_TAG) {
            take_tag(w, bytes[i++]);
        } else if (w->state != AT_BODY) {
            take_length(w, bytes[i++]);
        } else {
            size_t n = w->left < count - i ? (size_t)w->left : count - i;
            w->left -= n;
            i += n;
        }
        if (w->state == AT_BODY && w->left == 0)
            end_body(w);
    }
}

static void end_pgp(struct content *c, struct backup_proof *proof)
{
    const struct pgp_walk *w = &c->pgp;
    if (w->broken || (w->state != AT_TAG && !w->endless) || (w->state == AT_TAG && w->data_tag < 0))
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL,
                    "is cut off or damaged: the lengths of its OpenPGP packets don't fit");
    else
        proof->whole = !w->endless;
}

/* The first packet of an armoured message, decoded as far as it must be. */
static bool armour_encrypted(const struct content *c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *text = (const char *)c->head, *end = text + c->head_size;
    const char *body = memmem(text, c->head_size, "\n\n", 2);
    if (!body)
        body = memmem(text, c->head_size, "\r\n\r\n", 4);
    while (body && body < end && (*body == '\n' || *body == '\r'))
        body++;
    if (!body || end - body < 4)
        return false;
    const char *a = strchr(digits, body[0]), *b = strchr(digits, body[1]);
    unsigned char first = a && b ? (unsigned char)((a - digits) << 2 | (b - digits) >> 4) : 0;
    unsigned char bytes[17] = { first };
    return pgp_encrypted(bytes, sizeof bytes);
}

/* ---- age ------------------------------------------------------------------------------------------------------- */

#define AGE_PIECE (65536u + 16u)

static void end_age(struct content *c, struct backup_proof *proof)
{
    const unsigned char *mac = memmem(c->head, c->head_size, "\n--- ", 5);
    const unsigned char *end = mac ? memchr(mac + 1, '\n', (size_t)(c->head + c->head_size - mac - 1)) : NULL;
    uint64_t header = end ? (uint64_t)(end + 1 - c->head) : 0, payload = c->total - header;
    uint64_t last = payload >= 16 ? (payload - 16) % AGE_PIECE : 0;
    if (!end || payload < 16 + 16 || (last > 0 && last < 16))
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "is cut off: the file ends within what age wrote");
}

/* ---- which ----------------------------------------------------------------------------------------------------- */

/* An armour without its last line was cut off. */
static void end_armour(struct content *c, struct backup_proof *proof, const char *last)
{
    if (!memmem(c->tail, c->tail_size, last, strlen(last)))
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "is cut off: the line '%s' is missing", last);
    else
        proof->whole = true;
}

bool crypt_end(struct content *c, struct backup_proof *proof)
{
    bool armoured_pgp = begins(c, pgp_armour) && armour_encrypted(c);
    proof->cipher = begins(c, age_magic) || begins(c, age_armour)              ? "age"
                    : begins(c, "Salted__") || begins(c, "U2FsdGVkX1")         ? "openssl"
                    : (c->is_pgp && c->pgp.data_tag >= 0) || armoured_pgp      ? "OpenPGP"
                    : c->is_pgp && c->pgp.first_tag >= 0 && c->total < 1 << 20 ? "OpenPGP"
                                                                               : NULL;
    if (begins(c, age_magic))
        end_age(c, proof);
    else if (begins(c, age_armour))
        end_armour(c, proof, "-----END AGE ENCRYPTED FILE-----");
    else if (armoured_pgp)
        end_armour(c, proof, "-----END PGP MESSAGE-----");
    else if (begins(c, "Salted__") && (c->total < 32 || c->total % 16 != 0))
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL,
                    "is cut off, or no block cipher made it: its size is no multiple of 16");
    else if (c->is_pgp && proof->cipher)
        end_pgp(c, proof);
    return proof->cipher != NULL;
}
