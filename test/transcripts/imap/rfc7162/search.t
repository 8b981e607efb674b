# RFC 7162 3.1.5, 3.1.10: SEARCH MODSEQ                                                                                          messages 3
C: a SEARCH MODSEQ 1                          S: * OK [HIGHESTMODSEQ $high] Highest | * SEARCH 1 2 3 (MODSEQ $m3) | a OK
C: b STORE 1 +FLAGS.SILENT (\Seen)            S: * 1 FETCH (MODSEQ ($m4)) | b OK
C: c SEARCH MODSEQ $m4                        S: * SEARCH 1 (MODSEQ $m4) | c OK
C: d SEARCH MODSEQ "/flags/\\\\draft" all $m4   S: * SEARCH 1 (MODSEQ $m4) | d OK
C: e SEARCH MODSEQ 9999                       S: * SEARCH | e OK
C: f SEARCH RETURN (ALL COUNT) MODSEQ 1       S: * ESEARCH (TAG "f") ALL 1:3 COUNT 3 MODSEQ $m4 | f OK
C: g SEARCH RETURN (MAX) MODSEQ 1             S: * ESEARCH (TAG "g") MAX 3 MODSEQ $m3 | g OK
C: h SEARCH RETURN (MIN) MODSEQ 1             S: * ESEARCH (TAG "h") MIN 1 MODSEQ $m4 | h OK
C: i SEARCH RETURN (MIN MAX) 2:3 MODSEQ 1     S: * ESEARCH (TAG "i") MIN 2 MAX 3 MODSEQ $m3 | i OK
