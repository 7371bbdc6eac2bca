#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""terminal.py: what a terminal would show of the text on standard input, as SVG: colours, bold and faint."""
import re
import sys
from xml.sax.saxutils import escape

COLOURS = {"31": "#e5534b", "32": "#57ab5a", "33": "#c69026", "34": "#539bf5", "35": "#b083f0", "36": "#39c5cf", "37": "#cdd9e5",
           "90": "#768390", "91": "#ff938a", "92": "#6bc46d", "93": "#daaa3f"}
WIDTH, HEIGHT, TOP, LEFT = 8.43, 20, 34, 18


def spans(line):
    style = {}
    for text, codes in re.findall(r"([^\x1b]*)(?:\x1b\[([0-9;]*)[A-Za-z])?", line):
        if text:
            yield text, dict(style)
        for code in (codes or "").split(";"):
            if code in ("", "0"):
                style = {}
            elif code == "1":
                style["font-weight"] = "bold"
            elif code == "2":
                style["opacity"] = "0.65"
            elif code in COLOURS:
                style["fill"] = COLOURS[code]
            elif code == "39":
                style.pop("fill", None)


def main():
    lines = sys.stdin.buffer.read().decode("utf-8", "replace").replace("\r", "").rstrip("\n").split("\n")
    plain = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in lines]
    width = LEFT * 2 + WIDTH * max(map(len, plain))
    height = TOP + HEIGHT * len(lines) + 14
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" '
          'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">')
    print(f'<rect width="100%" height="100%" rx="8" fill="#1c2128"/><g fill="#cdd9e5" xml:space="preserve">')
    for row, line in enumerate(lines):
        column = 0
        for text, style in spans(line):
            attributes = "".join(f' {k}="{v}"' for k, v in style.items())
            if text.strip():
                print(f'<text x="{LEFT + WIDTH * column:.1f}" y="{TOP + HEIGHT * row}" textLength="{WIDTH * len(text):.1f}"'
                      f'{attributes}>{escape(text)}</text>')
            column += len(text)
    print("</g></svg>")


main()
