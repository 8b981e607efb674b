# RFC 9051 7.1: what is not announced is BAD, and breaks nothing                                                                                  mail s1
C: a FETCH 1 BINARY[1]                 S: a BAD
C: b FETCH 1 MODSEQ                    S: b BAD
C: c FETCH 1 PREVIEW                   S: c BAD
C: d FETCH 1 FLAGS (CHANGEDSINCE 1)    S: d BAD
C: e STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\Seen)   S: e BAD
C: f SEARCH RETURN (SAVE) ALL          S: f BAD
C: g SEARCH $                          S: g BAD
C: h FETCH 1 FLAGS                     S: * 1 FETCH (FLAGS (\Recent)) | h OK
