# RFC 9051 2.2.1, 7.1: what is not understood is BAD, with its tag when it has one                               state auth
C: a XYZZY               S: a BAD
C: b                     S: b BAD
C: c UID NOOP            S: c BAD
C: d UID                 S: d BAD
C: e SELECT              S: e BAD
C: f SELECT "unclosed    S: f BAD
C: g SELECT "bad \escape"   S: g BAD
C: h NOOP extra          S: h BAD
C: i  NOOP               S: i BAD
C: j STATUS INBOX ()     S: j BAD
C: (k NOOP               S: * BAD …
C: l+ NOOP               S: l BAD
C: m no-such             S: m BAD
C: n NoOp                S: n OK
C: x.y-z_1 NOOP          S: x.y-z_1 OK
