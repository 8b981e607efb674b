# RFC 7162 3.1.4: FETCH MODSEQ and CHANGEDSINCE                                                                                       messages 3
C: a FETCH 1:3 (MODSEQ)                       S: * OK [HIGHESTMODSEQ $high] Highest | * 1 FETCH (MODSEQ ($m1)) | * 2 FETCH (MODSEQ ($m2)) | * 3 FETCH (MODSEQ ($m3)) | a OK
C: b FETCH 1:* (FLAGS) (CHANGEDSINCE $m2)     S: * 3 FETCH (FLAGS (\Recent) MODSEQ ($m3)) | b OK
C: c FETCH 1:* (FLAGS) (CHANGEDSINCE $m3)     S: c OK
C: d STORE 1 +FLAGS (\Seen)                   S: * 1 FETCH (FLAGS (\Seen \Recent) MODSEQ ($m4)) | d OK
C: e UID FETCH 1:* FLAGS (CHANGEDSINCE $m3)   S: * 1 FETCH (UID 1 FLAGS (\Seen \Recent) MODSEQ ($m4)) | e OK
C: f FETCH 1:* BODY[TEXT]<0.1> (CHANGEDSINCE $m2)   S: * 1 FETCH (BODY[TEXT]<0> {1}… FLAGS (\Seen \Recent) MODSEQ ($m4)) | * 3 FETCH (BODY[TEXT]<0> {1}… FLAGS (\Seen \Recent) MODSEQ ($m5)) | f OK
C: g FETCH 2 FLAGS                            S: * 2 FETCH (FLAGS (\Recent) MODSEQ ($m2)) | g OK
C: h FETCH 1:* FLAGS (CHANGEDSINCE 0)         S: h BAD
C: i FETCH 1:* FLAGS (CHANGEDSINCE)           S: i BAD
C: j FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)      S: j BAD
C: k UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)   S: k BAD
