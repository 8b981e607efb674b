# RFC 5267 4.3: numbers are those of the time of the command; sets of UIDs go on; "$" is what it was      clients 2, messages 3
C1: a SEARCH RETURN (SAVE) 1:2                  S1: a OK
C1: b UID SEARCH RETURN (UPDATE ALL) 2:* FLAGGED    S1: * ESEARCH (TAG "b") UID | b OK
C1: c UID SEARCH RETURN (UPDATE ALL) UID 2:* FLAGGED    S1: * ESEARCH (TAG "c") UID | c OK
C1: d UID SEARCH RETURN (UPDATE ALL SAVE) $ FLAGGED    S1: * ESEARCH (TAG "d") UID | d OK
C2: a APPEND INBOX (\Flagged) {8+}\r\nA: b\r\n\r\n    S2: … | a OK
C2: b STORE 1:2 +FLAGS.SILENT (\Flagged)        S2: … | b OK
C1: e NOOP
S1: * 4 EXISTS | * $r RECENT | * 1 FETCH … | * 2 FETCH …
S1: * ESEARCH (TAG "b") UID ADDTO (0 2) | * ESEARCH (TAG "c") UID ADDTO (0 2,4) | * ESEARCH (TAG "d") UID ADDTO (0 1:2) | e OK
