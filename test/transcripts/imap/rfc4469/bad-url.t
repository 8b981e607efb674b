# RFC 4469 3, 4: BADURL with the first URL that fails, TOOBIG; nothing is kept then                          state auth, messages 1
C: a APPEND INBOX CATENATE (URL "/INBOX/;UID=1" URL "/INBOX/;UID=77" URL "/INBOX/;UID=78")   S: a NO [BADURL /INBOX/;UID=77]
C: b APPEND INBOX CATENATE (URL "/INBOX;UIDVALIDITY=7/;UID=1")       S: b NO [BADURL /INBOX;UIDVALIDITY=7/;UID=1]
C: c APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=9.9")        S: c NO [BADURL /INBOX/;UID=1/;SECTION=9.9]
C: d APPEND INBOX CATENATE (URL "/nothing/;UID=1")                   S: d NO [BADURL /nothing/;UID=1]
C: e APPEND INBOX CATENATE (URL "imap://example.org/INBOX/;UID=1")   S: e NO [BADURL imap://example.org/INBOX/;UID=1]
C: f APPEND INBOX CATENATE (URL "/a]b c/;UID=1")                     S: f NO [BADURL /a%5Db%20c/;UID=1]
C: g APPEND INBOX CATENATE (URL ";UID=1")                            S: g NO [BADURL ;UID=1]
C: h APPEND INBOX CATENATE (URL "")                                  S: h NO [BADURL ""]
# what follows is not read as commands
C: i APPEND INBOX CATENATE (URL "/INBOX/;UID=77" TEXT {10+}\r\ni2 LOGOUT\r) {8+}\r\nA: b\r\n\r\n   S: i NO [BADURL /INBOX/;UID=77]
C: j APPEND INBOX CATENATE (URL "/INBOX/;UID=77" TEXT {10}           S: j NO [BADURL /INBOX/;UID=77]
C: k APPEND INBOX CATENATE (TEXT {999999999}                         S: k NO [TOOBIG]
C: l APPEND INBOX CATENATE ()                                        S: l BAD
C: m APPEND INBOX CATENATE (URL "/INBOX/;UID=1"                      S: m BAD
C: n APPEND INBOX CATENATE (TEXT {0+}\r\n)                           S: n NO [CANNOT]
C: o APPEND nothing CATENATE (URL "/INBOX/;UID=1")                   S: o NO [TRYCREATE]
C: p APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=1.MIME" URL /INBOX/;UID=1) CATENATE (URL /INBOX/;UID=2)   S: p NO [BADURL /INBOX/;UID=
C: q STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 1) | q OK
