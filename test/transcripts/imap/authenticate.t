# RFC 9051 6.2.2, RFC 4616: AUTHENTICATE PLAIN after "+ "                                                       state new
C: a AUTHENTICATE PLAIN                S: + 
C: *                                   S: a BAD
C: b AUTHENTICATE PLAIN                S: + 
C: not base64!                         S: b BAD
C: c AUTHENTICATE PLAIN                S: + 
C: AGEAYgBj                            S: c BAD
C: d AUTHENTICATE CRAM-MD5             S: d NO
C: e AUTHENTICATE                      S: e BAD
C: f authenticate plain                S: + 
C: $PLAIN                              S: f OK [CAPABILITY
C: g SELECT INBOX                      S: … | g OK [READ-WRITE]
