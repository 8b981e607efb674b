# RFC 9051 4.3, RFC 7162 4: a line that is too long is BAD, and the next command is read                         state auth
C: a NOOP \{x*70000}     S: a BAD
C: b NOOP                S: b OK
C: c LOGIN {2000000}     S: c BAD [TOOBIG]
C: d NOOP                S: d OK
C: e SELECT {1100000+}\r\n\c   S: * BYE … | EOF
