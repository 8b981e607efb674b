# RFC 10022 3: where to cut a mailbox, from the newest messages to the oldest
C: a UIDBATCHES 2000                   S: * UIDBATCHES (TAG "a") | a OK
C: b APPEND INBOX {1+}\r\nx\{ {1+}\r\nx*999}     S: … | * 1000 EXISTS | * 1000 RECENT | b OK [APPENDUID $v 1:1000]
C: c APPEND INBOX {1+}\r\nx\{ {1+}\r\nx*199}     S: … | * 1200 EXISTS | * 1200 RECENT | c OK [APPENDUID $v 1001:1200]
C: A143 UIDBATCHES 500                 S: * UIDBATCHES (TAG "A143") 1200:701,700:201,200:1 | A143 OK
C: A144 UIDBATCHES 500 1:2             S: * UIDBATCHES (TAG "A144") 1200:701,700:201 | A144 OK
C: A145 UIDBATCHES 500 3:3             S: * UIDBATCHES (TAG "A145") 200:1 | A145 OK
C: A146 UIDBATCHES 500 3:20            S: * UIDBATCHES (TAG "A146") 200:1 | A146 OK
C: A147 UIDBATCHES 500 4:20            S: * UIDBATCHES (TAG "A147") | A147 OK
C: A148 UIDBATCHES 2000                S: * UIDBATCHES (TAG "A148") 1200:1 | A148 OK
C: A149 UIDBATCHES 600                 S: * UIDBATCHES (TAG "A149") 1200:601,600:1 | A149 OK
# gaps belong to the batch above; only messages count
C: d UID STORE 100:300,650:700,1100:1200 +FLAGS.SILENT (\Deleted)   S: d OK
C: e EXPUNGE                           S: … | e OK
C: A150 UIDBATCHES 500                 S: * UIDBATCHES (TAG "A150") 1099:549,548:1 | A150 OK
C: f UID SEARCH RETURN (COUNT) UID 1099:549   S: * ESEARCH (TAG "f") UID COUNT 500 | f OK
C: g UIDBATCHES 499                    S: g NO [TOOFEW]
C: h UIDBATCHES 1000001                S: h NO [TOOMANY]
C: i UIDBATCHES 0                      S: i BAD
C: j UIDBATCHES 500 3:2                S: j BAD
C: k UIDBATCHES 500 3                  S: k BAD
C: l UIDBATCHES                        S: l BAD
C: m CLOSE                             S: m OK
C: n UIDBATCHES 500                    S: n BAD
