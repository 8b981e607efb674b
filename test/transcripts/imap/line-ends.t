# RFC 9051 2.2: lines end in CRLF; a bare LF or CR is refused and ends no command                                state auth
C: a NOOP\nb NOOP        S: a BAD | b OK
C: c NO\rOP              S: c BAD
C: d LOGIN a\x00b        S: d BAD
C: e NOOP                S: e OK
