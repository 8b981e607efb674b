# RFC 3461 4: NOTIFY, ORCPT, RET and ENVID, each once and well-formed
C: MAIL FROM:<$ADDRESS> RET=FULL ENVID=QQ314159   S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> RET=hdrs ENVID=a+2Bb   S: 250
C: RCPT TO:<$ADDRESS2> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;$ADDRESS2   S: 250
C: RCPT TO:<b@far.example> NOTIFY=NEVER     S: 250
C: RCPT TO:<c@far.example> ORCPT=utf-8;c@far.example   S: 250
C: RCPT TO:<d@far.example> NOTIFY=NEVER,SUCCESS   S: 501
C: RCPT TO:<d@far.example> NOTIFY=          S: 501
C: RCPT TO:<d@far.example> NOTIFY=SOMETIMES   S: 501
C: RCPT TO:<d@far.example> NOTIFY           S: 501
C: RCPT TO:<d@far.example> ORCPT=nothing    S: 501
C: RCPT TO:<d@far.example> ORCPT=rfc822;a+2   S: 501
C: RCPT TO:<d@far.example> NOTIFY=NEVER NOTIFY=NEVER   S: 501
C: RCPT TO:<d@far.example> RET=FULL         S: 555
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> RET=SOME            S: 501
C: MAIL FROM:<$ADDRESS> RET=FULL RET=FULL   S: 501
C: MAIL FROM:<$ADDRESS> ENVID=              S: 501
C: MAIL FROM:<$ADDRESS> ENVID=a+zz          S: 501
C: MAIL FROM:<$ADDRESS> ENVID=\{x*101}      S: 501
C: MAIL FROM:<$ADDRESS> NOTIFY=NEVER        S: 555
C: QUIT                                     S: 221 | EOF
