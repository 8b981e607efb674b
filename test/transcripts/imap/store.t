# RFC 9051 6.4.6: +, -, replace, .SILENT, keywords, what cannot be set                                                                           mail s1 s2
C: a STORE 1 FLAGS (\Seen \Flagged)    S: * 1 FETCH (FLAGS (\Flagged \Seen \Recent)) | a OK
C: b STORE 1 +FLAGS (\Answered)        S: * 1 FETCH (FLAGS (\Answered \Flagged \Seen \Recent)) | b OK
C: c STORE 1 -FLAGS (\Seen \Draft)     S: * 1 FETCH (FLAGS (\Answered \Flagged \Recent)) | c OK
C: d STORE 1 FLAGS \Deleted            S: * 1 FETCH (FLAGS (\Deleted \Recent)) | d OK
C: e STORE 1 FLAGS \Seen \Draft        S: * 1 FETCH (FLAGS (\Seen \Draft \Recent)) | e OK
C: f STORE 1:2 +FLAGS ($Forwarded)     S: … | * 1 FETCH (FLAGS (\Seen \Draft \Recent $Forwarded)) | * 2 FETCH (FLAGS (\Recent $Forwarded)) | … | f OK
C: g STORE 2 +FLAGS ($FORWARDED)       S: * 2 FETCH (FLAGS (\Recent $Forwarded)) | g OK
C: h STORE 1:* FLAGS.SILENT ()         S: … | h OK
C: i FETCH 1:* FLAGS                   S: * 1 FETCH (FLAGS (\Recent)) | * 2 FETCH (FLAGS (\Recent)) | i OK
C: j STORE 1 +FLAGS (\XYZZY)           S: j BAD
C: k STORE 1 +FLAGS (\*)               S: k BAD
C: l STORE 1 +FLAGS ()                 S: … | l OK
C: m STORE 1 FLAGS                     S: m BAD
C: n STORE 1 *FLAGS (\Seen)            S: n BAD
C: o STORE x +FLAGS (\Seen)            S: o BAD
C: p STORE 0 +FLAGS (\Seen)            S: p BAD
C: q UID STORE 2 +FLAGS (\Seen)        S: * 2 FETCH (UID 2 FLAGS (\Seen \Recent)) | q OK
C: r UID STORE 99 +FLAGS (\Seen)       S: r OK
C: s store 1 +flags.silent (\seen)     S: s OK
C: t FETCH 1 FLAGS                     S: * 1 FETCH (FLAGS (\Seen \Recent)) | t OK
