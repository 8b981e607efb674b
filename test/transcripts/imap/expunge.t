# RFC 9051 6.4.3, 7.5.1: each EXPUNGE counts after those before it; UID EXPUNGE takes only what it names                                messages 6
C: a STORE 1,3,4,6 +FLAGS.SILENT (\Deleted)   S: a OK
C: b FETCH 3 UID                       S: * 3 FETCH (UID $three) | b OK
C: c UID EXPUNGE $three                S: * 3 EXPUNGE | c OK
C: d EXPUNGE                           S: * 5 EXPUNGE | * 3 EXPUNGE | * 1 EXPUNGE | d OK
C: e EXPUNGE                           S: e OK
C: f FETCH 1:* FLAGS                   S: * 1 FETCH (FLAGS (\Recent)) | * 2 FETCH (FLAGS (\Recent)) | f OK
C: g UID EXPUNGE 4000000000:*          S: g OK
C: h UID EXPUNGE                       S: h BAD
C: i UID EXPUNGE x                     S: i BAD
C: j UID EXPUNGE 0                     S: j BAD
C: k EXPUNGE 1                         S: k BAD
