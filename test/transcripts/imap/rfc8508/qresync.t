# RFC 8508 4.5, RFC 7162: as if the message had gone by UID EXPUNGE                        messages 2
C: a ENABLE QRESYNC                    S: * ENABLED QRESYNC | * OK [HIGHESTMODSEQ $high] Highest | a OK
C: b SELECT INBOX                      S: … | b OK
C: c REPLACE 1 INBOX {8+}\r\nA: b\r\n\r\n   S: * OK [APPENDUID $v 3] … | * VANISHED 1 | * 2 EXISTS | * 1 RECENT | … | c OK [HIGHESTMODSEQ $m]
