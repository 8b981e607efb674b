# RFC 9051 7.1: what is not announced is BAD, and breaks nothing                                                                                  mail s1
C: c FETCH 1 X-GM-LABELS               S: c BAD
C: h FETCH 1 FLAGS                     S: * 1 FETCH (FLAGS (\Recent)) | h OK
