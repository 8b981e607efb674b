# RFC 5465 5.1: flags: FETCH with UID in the selected folder, STATUS elsewhere      clients 2, messages 2, state auth
C2: x CREATE work                        S2: x OK
C2: a APPEND work {8+}\r\nA: b\r\n\r\n   S2: a OK
C1: a NOTIFY SET STATUS (selected (MessageNew MessageExpunge FlagChange)) (mailboxes (work nowhere "a//b") (MessageNew MessageExpunge FlagChange))
S1: * STATUS work (MESSAGES 1 UIDNEXT 2 UIDVALIDITY $v UNSEEN 1 HIGHESTMODSEQ $m) | a OK
C1: b SELECT INBOX                       S1: … | b OK
C2: b SELECT INBOX                       S2: … | b OK
C2: c STORE 2 +FLAGS.SILENT (\Flagged)   S2: c OK
S1: * 2 FETCH (UID 2 FLAGS (\Flagged \Recent))
C2: d SELECT work                        S2: … | d OK
C2: e STORE 1 +FLAGS.SILENT (\Flagged)   S2: e OK
C2: f STORE 1 +FLAGS.SILENT (\Seen)      S2: f OK
S1: * STATUS work (UIDVALIDITY $v UNSEEN 0)
C1: c ENABLE CONDSTORE                   S1: … | c OK
C2: g STORE 1 -FLAGS.SILENT (\Flagged)   S2: g OK
S1: * STATUS work (UIDVALIDITY $v HIGHESTMODSEQ $n)
C2: h STORE 1 -FLAGS.SILENT (\Seen)      S2: h OK
S1: * STATUS work (UIDVALIDITY $v UNSEEN 1 HIGHESTMODSEQ $o)
C2: i APPEND work (\Seen) {8+}\r\nA: b\r\n\r\n   S2: … | i OK
S1: * STATUS work (MESSAGES 2 UIDNEXT 3 HIGHESTMODSEQ $p)
# without FlagChange no flags are told, of neither
C1: d NOTIFY SET (selected (MessageNew MessageExpunge)) (mailboxes work (MessageNew MessageExpunge))    S1: d OK
C2: j STORE 1 +FLAGS.SILENT (\Seen)      S2: j OK
C2: k SELECT INBOX                       S2: … | k OK
C2: l STORE 1 +FLAGS.SILENT (\Flagged)   S2: l OK
C1: e NOOP                               S1: e OK
C2: m STORE 1 +FLAGS.SILENT (\Deleted)   S2: m OK
C2: n EXPUNGE                            S2: * 1 EXPUNGE | n OK
S1: * 1 EXPUNGE
