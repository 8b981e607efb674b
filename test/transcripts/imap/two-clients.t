# RFC 9051 7.4.1, 7.5.2: what one client does, the other hears at its next command                                                        clients 2, messages 2
C2: a STORE 1 +FLAGS (\Flagged work)   S2: … | * 1 FETCH (FLAGS (\Flagged work)) | … | a OK
C1: a NOOP                             S1: … | * 1 FETCH (FLAGS (\Flagged \Recent work)) | a OK
C2: b APPEND INBOX {8+}\r\nA: b\r\n\r\n   S2: * 3 EXISTS | … | b OK
C1: b NOOP                             S1: * 3 EXISTS | … | b OK
C2: c STORE 1 -FLAGS.SILENT (work)     S2: … | c OK
C1: c NOOP                             S1: … | * 1 FETCH (FLAGS (\Flagged \Recent)) | c OK
C2: d MOVE 1 Trash                     S2: * OK [COPYUID … | * 1 EXPUNGE | d OK
C1: d NOOP                             S1: * 1 EXPUNGE | d OK
C1: e CHECK                            S1: e OK
