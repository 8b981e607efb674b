# RFC 9738 3.2, 4: the limits as they are told; UIDAFTER and UIDBEFORE (what happens beyond a limit: src/imap/imap_test.c)                messages 5
C: a CAPABILITY                        S: * CAPABILITY … MESSAGELIMIT=1000000 SAVELIMIT=1000 … | a OK
C: b UID SEARCH UIDAFTER 3             S: * SEARCH 4 5 | b OK
C: c UID SEARCH UIDBEFORE 3            S: * SEARCH 1 2 | c OK
C: d UID SEARCH UIDAFTER 1 UIDBEFORE 4   S: * SEARCH 2 3 | d OK
C: e SEARCH NOT UIDAFTER 3             S: * SEARCH 1 2 3 | e OK
C: f SEARCH UIDAFTER 5                 S: * SEARCH | f OK
C: g SEARCH UIDBEFORE 1                S: * SEARCH | g OK
C: h SEARCH UIDAFTER 4294967295        S: * SEARCH | h OK
C: i SEARCH UIDAFTER 1:2               S: i BAD
C: j SEARCH UIDBEFORE *                S: j BAD
# one too many for one APPEND: nothing of it is kept
C: k APPEND INBOX {1+}\r\nx\{ {1+}\r\nx*999} {1}   S: k NO [MESSAGELIMIT 1000]
C: l STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 5) | l OK
