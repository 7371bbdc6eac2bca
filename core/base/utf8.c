/* SPDX-License-Identifier: GPL-3.0-or-later */
/* utf8 - one table row a length: the lead byte's fixed bits and the least code point that needs so many bytes. The NUL
 * at the end is not a continuation byte, so nothing behind it is read. */
#include "core/base/utf8.h"

static const struct form {
    unsigned char mask, lead;
    uint32_t least;
} forms[] = {
    { 0x80, 0x00, 0 },
    { 0xE0, 0xC0, 0x80 },
    { 0xF0, 0xE0, 0x800 },
    { 0xF8, 0xF0, 0x10000 },
};

size_t utf8_next(const char *text, uint32_t *out)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t extra = 0;
    while (extra < 4 && (at[0] & forms[extra].mask) != forms[extra].lead)
        extra++;
    if (extra == 4)
        return 0;
    uint32_t code = at[0] & (unsigned char)~forms[extra].mask;
    for (size_t i = 1; i <= extra; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    if (code < forms[extra].least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *out = code;
    return extra + 1;
}
