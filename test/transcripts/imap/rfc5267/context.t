# RFC 5267 4.2, 4.3.5: CONTEXT is a hint, CANCELUPDATE ends UPDATE, tags are not used twice      clients 2, messages 3
C: A01 SEARCH RETURN (CONTEXT COUNT) UNDELETED UNKEYWORD $Junk    S: * ESEARCH (TAG "A01") COUNT 3 | A01 OK
C: B01 UID SEARCH RETURN (UPDATE COUNT) ALL     S: * ESEARCH (TAG "B01") UID COUNT 3 | B01 OK
C: B01 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED    S: B01 BAD Tag reuse
C: c CANCELUPDATE "B01" "x"                     S: c OK
C2: a STORE 1 +FLAGS.SILENT (\Deleted)          S2: a OK
C2: b EXPUNGE                                   S2: * 1 EXPUNGE | b OK
C: e NOOP                                       S: * 1 EXPUNGE | e OK
C: B01 UID SEARCH RETURN (UPDATE COUNT) ALL     S: * ESEARCH (TAG "B01") UID COUNT 2 | B01 OK
C: f CANCELUPDATE                               S: f BAD
C: g CANCELUPDATE atom                          S: g BAD
C: h CANCELUPDATE "B01" atom                    S: h BAD
C2: c STORE 1 +FLAGS.SILENT (\Deleted)          S2: c OK
C2: d EXPUNGE                                   S2: * 1 EXPUNGE | d OK
C: i NOOP                                       S: * ESEARCH (TAG "B01") UID REMOVEFROM (0 2) | * 1 EXPUNGE | i OK
# it ends with the selection
C: j SELECT INBOX                               S: … | j OK
C2: e STORE 1 +FLAGS.SILENT (\Deleted)          S2: e OK
C2: f EXPUNGE                                   S2: * 1 EXPUNGE | f OK
C: k NOOP                                       S: * 1 EXPUNGE | k OK
