#!/usr/bin/env python3
"""The dictionary as C: embed.py NAME TEXT OUT. TEXT becomes bytes: CRLF for every line end, \\xNN for what
is no text or stands at a line's end. OUT ending in .bin: the bytes themselves, for `zstd -D`."""
import re
import sys


def content(path):
    with open(path, encoding='utf-8', newline='') as f:
        data = f.read().encode().replace(b'\n', b'\r\n')
    return re.sub(rb'\\x([0-9a-f]{2})', lambda m: bytes([int(m[1], 16)]), data)


def main():
    name, text, out = sys.argv[1:]
    data = content(text)
    if out.endswith('.bin'):
        with open(out, 'wb') as f:
            f.write(data)
        return
    with open(out, 'w') as f:
        f.write('/* Made by data/dictionary/embed.py. */\n#include "src/store/dictionary.h"\n')
        f.write('const unsigned char dictionary_%s[] = {\n' % name)
        for i in range(0, len(data), 20):
            f.write('    ' + ' '.join('%d,' % b for b in data[i:i + 20]) + '\n')
        f.write('};\nconst size_t dictionary_%s_bytes = sizeof dictionary_%s;\n' % (name, name))


main()
