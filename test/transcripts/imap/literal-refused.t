# RFC 7888 4: a non-synchronizing literal that is refused is swallowed, not obeyed                                state new
C: a LOGIN {10000+}\r\n\{x*9990}\r\nz NOOP\r\n x   S: a BAD [TOOBIG]
C: b NOOP                S: b OK
C: c LOGIN {10000}       S: c BAD [TOOBIG]
C: d NOOP                S: d OK
C: e LOGIN {3+}\r\na\x00b c   S: e BAD
C: f NOOP                S: f OK
C: g LOGIN {99999999999999999999} x   S: g BAD
C: h NOOP                S: h OK
