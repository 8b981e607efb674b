# RFC 2342 5: one personal namespace, with "/"                                                                    state auth
C: a NAMESPACE           S: * NAMESPACE (("" "/")) NIL NIL | a OK
C: b NAMESPACE x         S: b BAD
