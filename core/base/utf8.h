/* SPDX-License-Identifier: GPL-3.0-or-later */
/* utf8 - reading one character of untrusted text; used inside this room by what makes text safe to show or to store. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* The length (1 to 4) of the well-formed character at the NUL-terminated text, which must not be empty; its code point
 * in *out. 0 when the bytes are not UTF-8 (overlong forms, surrogates and what lies above U+10FFFF are not): skip one.
 */
size_t utf8_next(const char *text, uint32_t *out);

#endif
