#!/usr/bin/env python3
"""Turn numbered migrations into a C table: embed_sql.py SET APPLICATION_ID OUT.c OUT.h FILE.sql..."""
import os
import re
import sys


def c_text(sql):
    lines = [line.replace('\\', '\\\\').replace('"', '\\"') for line in sql.split('\n')]
    return '\n'.join('        "%s\\n"' % line for line in lines)


def check(files):
    folder = os.path.dirname(files[0])
    there = sorted(f for f in os.listdir(folder) if f.endswith('.sql'))
    listed = [os.path.basename(f) for f in files]
    if there != listed:
        sys.exit('%s: meson.build lists %s, the folder has %s' % (folder, listed, there))
    for number, name in enumerate(listed, 1):
        if not re.fullmatch(r'%04d_[a-z0-9_]+\.sql' % number, name):
            sys.exit('%s: expected a name like %04d_what_it_does.sql' % (name, number))


def main():
    name, app_id, out_c, out_h, *files = sys.argv[1:]
    check(files)
    app_id = int(app_id, 0)
    with open(out_c, 'w') as c:
        c.write('/* Made by lib/db/embed_sql.py from sql/%s. */\n#include "lib/db/migrate.h"\n' % name)
        c.write('extern const struct migration_set sql_%s;\n' % name)
        c.write('static const struct migration list[] = {\n')
        for number, path in enumerate(files, 1):
            with open(path) as f:
                sql = f.read()
            c.write('    { "%s",\n%s,\n      "PRAGMA user_version=%d" },\n' % (
                os.path.basename(path)[:-4], c_text(sql), number))
        c.write('};\nconst struct migration_set sql_%s = {\n' % name)
        c.write('    "%s", "PRAGMA application_id=%d", %d, list, %d,\n};\n' % (name, app_id, app_id, len(files)))
    with open(out_h, 'w') as h:
        h.write('/* Made by lib/db/embed_sql.py from sql/%s. */\n#pragma once\n' % name)
        h.write('#include "lib/db/migrate.h"\nextern const struct migration_set sql_%s;\n' % name)


main()
