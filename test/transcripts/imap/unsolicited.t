# RFC 9051 5.2, 7.5.1: EXISTS, FLAGS and EXPUNGE of others come before the tagged reply or in IDLE, and at no other time        clients 3, messages 2, whole
C2: a APPEND INBOX {8+}\r\nA: b\r\n\r\n   S2: * 3 EXISTS | … | a OK
C2: b STORE 1 +FLAGS.SILENT (\Flagged)   S2: … | b OK
C2: c STORE 2 +FLAGS.SILENT (\Deleted)   S2: … | c OK
C2: d EXPUNGE                          S2: * 2 EXPUNGE | d OK
# a command that names numbers: what is new and what changed, what is gone is not; the reply itself is of the old numbers
C1: a FETCH 2 RFC822.SIZE\r\nb NOOP
S1: * 3 EXISTS | * 2 RECENT | * 1 FETCH (FLAGS (\Flagged \Recent)) | a OK | * 2 EXPUNGE | b OK
# one that idles, at once; one that does nothing, nothing
C1: c IDLE                             S1: + …
C2: e STORE 1 -FLAGS.SILENT (\Flagged)   S2: e OK
S1: * 1 FETCH (FLAGS (\Recent))
C1: DONE                               S1: c OK
C2: f STORE 1 +FLAGS.SILENT (\Deleted)   S2: f OK
C2: g EXPUNGE                          S2: * 1 EXPUNGE | g OK
C3: a NOOP                             S3: … | a OK
C3: b FETCH 1 UID                      S3: * 1 FETCH (UID 3) | b OK
C1: d SEARCH ALL                       S1: * SEARCH 2 | d OK
C1: e STATUS INBOX (MESSAGES)          S1: * STATUS INBOX (MESSAGES 1) | * 1 EXPUNGE | e OK
# not selected any more: nothing
C1: f UNSELECT                         S1: f OK
C2: h STORE 1 +FLAGS.SILENT (\Seen)    S2: h OK
C1: g NOOP                             S1: g OK
