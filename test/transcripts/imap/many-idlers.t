# RFC 2177: IDLE is told of flags, and DONE with new commands behind it                                                                              clients 2, mail s1, whole
C1: a IDLE                             S1: + …
C2: a STORE 1 +FLAGS.SILENT (\Flagged)   S2: a OK
S1: * 1 FETCH (FLAGS (\Flagged \Recent))
C1: DONE\r\nb NOOP\r\nc FETCH 1 FLAGS   S1: a OK | b OK | * 1 FETCH (FLAGS (\Flagged \Recent)) | c OK
