#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pixels.py FILE COLOUR [X0 Y0 X1 Y1] - how many pixels of a PNG (8 bits, RGB or RGBA, not interlaced) have nearly the
colour (rrggbb), in the whole picture or in a box. For the tests of graphs."""
import struct
import sys
import zlib

NEAR = 8  # apart, in each of red, green and blue


def chunks(data):
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def paeth(a, b, c):
    near = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))
    return near[2]


def read(name):
    """Width, and rows of bytes with so many a pixel."""
    data = open(name, "rb").read()
    packed = b"".join(body for kind, body in chunks(data) if kind == b"IDAT")
    width, height, depth, kind = struct.unpack(">IIBB", next(chunks(data))[1][:10])
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and depth == 8 and kind in (2, 6)
    size = 3 if kind == 2 else 4
    raw, rows, above = zlib.decompress(packed), [], bytearray(width * size)
    for y in range(height):
        line = bytearray(raw[y * (width * size + 1) : (y + 1) * (width * size + 1)])
        how, row = line[0], line[1:]
        for i in range(len(row)):
            left = row[i - size] if i >= size else 0
            corner = above[i - size] if i >= size else 0
            row[i] = (row[i] + (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))[how]) & 255
        rows.append(row)
        above = row
    return width, size, rows


def main():
    width, size, rows = read(sys.argv[1])
    colour = bytes.fromhex(sys.argv[2])
    x0, y0, x1, y1 = map(int, sys.argv[3:7]) if len(sys.argv) > 3 else (0, 0, width, len(rows))
    count = 0
    for row in rows[y0:y1]:
        for x in range(x0, min(x1, width)):
            count += all(abs(row[x * size + i] - colour[i]) <= NEAR for i in range(3))
    print(count)


main()
