# RFC 9051 9, astring: a literal, with and without waiting, wherever a name or a string may stand                   mail s1, whole
C: a CREATE {4+}\r\nwork               S: a OK
C: b SUBSCRIBE {4+}\r\nwork            S: b OK
C: c RENAME {4+}\r\nwork {5+}\r\ntrade   S: c OK
C: d UNSUBSCRIBE {4}                   S: + …
C: work                                S: d OK
C: e LSUB {0+}\r\n {3+}\r\ntr*         S: … | e OK
C: f LIST {0+}\r\n ({2+}\r\ntr {5+}\r\ntrade)   S: * LIST (\HasNoChildren) "/" trade | f OK
C: g COPY 1 {5+}\r\ntrade              S: g OK [COPYUID $v 1 1]
C: h UID COPY 1 {5}                    S: + …
C: trade                               S: h OK [COPYUID $v 1 2]
C: i STATUS {5+}\r\ntrade (MESSAGES)   S: * STATUS trade (MESSAGES 2) | i OK
C: j GETQUOTAROOT {5+}\r\nINBOX        S: … | j OK
C: k GETQUOTA {7+}\r\nmailbox          S: … | k OK
C: l SETMETADATA {5+}\r\nINBOX ({16+}\r\n/private/comment {5+}\r\nhello)   S: l OK
C: m GETMETADATA {5+}\r\nINBOX {16+}\r\n/private/comment   S: * METADATA INBOX (/private/comment "hello") | m OK
C: n SEARCH HEADER {7+}\r\nSubject {6+}\r\nengine FROM {3+}\r\nada NOT BODY {4+}\r\nzzzz   S: * SEARCH 1 | n OK
C: o FETCH 1 BODY.PEEK[HEADER.FIELDS ({7+}\r\nSubject {4+}\r\nDate)]   S: * 1 FETCH (BODY[HEADER.FIELDS (Subject Date)] {$n}\r\n…) | o OK
C: p SORT (SUBJECT) {5+}\r\nUTF-8 SUBJECT {6+}\r\nengine   S: * SORT 1 | p OK
C: q THREAD ORDEREDSUBJECT {5+}\r\nUTF-8 FROM {3+}\r\nada   S: * THREAD (1) | q OK
C: r SEARCH CHARSET {5+}\r\nUTF-8 TEXT {6+}\r\nengine   S: * SEARCH 1 | r OK
C: s ID ({4+}\r\nname {3+}\r\nfoo)     S: * ID ("name" "Letterlock"…) | s OK
C: t MOVE 1 {5+}\r\ntrade              S: * OK [COPYUID $v 1 3] … | * 1 EXPUNGE | t OK
C: u EXAMINE {5+}\r\ntrade             S: … | u OK [READ-ONLY]
C: v SELECT {5+}\r\nINBOX              S: … | v OK [READ-WRITE]
C: w DELETE {5+}\r\ntrade              S: w OK
