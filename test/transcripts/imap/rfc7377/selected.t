# RFC 7377 2.2: without sources the selected mailbox, by UIDs; SAVE and UPDATE are of it alone      clients 2, messages 3
C1: x CREATE work                               S1: x OK
C1: y APPEND work {17+}\r\nSubject: chad\r\n\r\n    S1: y OK
C1: a ESEARCH ALL                               S1: * ESEARCH (TAG "a" MAILBOX INBOX UIDVALIDITY $v) UID ALL 1:3 | a OK
C1: b ESEARCH IN (selected) RETURN (COUNT SAVE) 2:5    S1: * ESEARCH (TAG "b" MAILBOX INBOX UIDVALIDITY $v) UID COUNT 2 | b OK
C1: c UID FETCH $ (UID)                         S1: * 2 FETCH (UID 2) | * 3 FETCH (UID 3) | c OK
C1: d ESEARCH IN (selected mailboxes work) RETURN (ALL) $
S1: * ESEARCH (TAG "d" MAILBOX INBOX UIDVALIDITY $v) UID ALL 2:3 | d OK
C1: e ESEARCH RETURN (COUNT) FLAGGED            S1: e OK
C1: f ESEARCH IN (personal) RETURN (UPDATE COUNT) UNSEEN
S1: * ESEARCH (TAG "f" MAILBOX INBOX UIDVALIDITY $v) UID COUNT 3 | * ESEARCH (TAG "f" MAILBOX work UIDVALIDITY $w) UID COUNT 1 | f OK
C2: a APPEND work {17+}\r\nSubject: chad\r\n\r\n    S2: a OK
C2: b APPEND INBOX {17+}\r\nSubject: chad\r\n\r\n    S2: … | b OK
C1: g NOOP                                      S1: * 4 EXISTS | * $r RECENT | * ESEARCH (TAG "f") UID ADDTO (0 4) | g OK
C1: h ESEARCH IN (mailboxes work) RETURN (UPDATE COUNT) ALL
S1: * ESEARCH (TAG "h" MAILBOX work UIDVALIDITY $w) UID COUNT 2 | * NO [NOUPDATE "h"] … | h OK
C1: f ESEARCH RETURN (UPDATE) ALL               S1: f BAD Tag reuse
C1: i ESEARCH IN (mailboxes INBOX) RETURN (SAVE) ALL    S1: i BAD
C1: j ESEARCH IN (selected personal) RETURN (SAVE) ALL    S1: j BAD
C1: k ESEARCH IN (selected-delayed) ALL         S1: k BAD
C1: l ESEARCH IN (personal (future options)) ALL    S1: l BAD
C1: m ESEARCH IN () ALL                         S1: m BAD
C1: n ESEARCH IN (personal)                     S1: n BAD
C1: o ESEARCH CHARSET X-MOON ALL                S1: o NO [BADCHARSET (US-ASCII UTF-8)]
C1: p ESEARCH IN (personal) X-REGEX SUBJECT "("    S1: p NO [CANNOT]
C1: q UNSELECT                                  S1: q OK
C1: r ESEARCH ALL                               S1: r BAD
C1: s ESEARCH IN (mailboxes work selected) ALL    S1: s BAD
C1: t ESEARCH IN (mailboxes work) RETURN (UPDATE) ALL    S1: t BAD
C1: u ESEARCH IN (mailboxes work) $             S1: u OK
C1: v ESEARCH IN (mailboxes work) RECENT        S1: v OK
