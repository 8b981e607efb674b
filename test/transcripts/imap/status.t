# RFC 9051 6.3.11: STATUS, also of the selected folder and of others                                                            messages 2, state auth
C: a STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)
S: * STATUS INBOX (MESSAGES 2 RECENT 2 UIDNEXT $n UIDVALIDITY $v UNSEEN 2) | a OK
C: b SELECT INBOX                      S: … | b OK
C: c STORE 1 FLAGS.SILENT (\Seen \Deleted)   S: c OK
C: d STATUS INBOX (UNSEEN MESSAGES RECENT)   S: * STATUS INBOX (MESSAGES 2 RECENT 0 UNSEEN 1) | d OK
C: e STATUS inbox (MESSAGES)           S: * STATUS INBOX (MESSAGES 2) | e OK
C: f STATUS nothing (MESSAGES)         S: f NO [NONEXISTENT]
C: g STATUS INBOX MESSAGES             S: g BAD
C: h STATUS INBOX (XYZZY)              S: h BAD
C: i STATUS INBOX (MESSAGES            S: i BAD
