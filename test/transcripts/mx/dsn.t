# RFC 3461 4, 4.5, 5.1: NOTIFY, ORCPT, RET and ENVID, each once and well-formed; well-formed ones change no answer
S: 220
C: EHLO client.example                      S: 250-… | … | 250-DSN | 250-MT-PRIORITY | 250 HELP
C: MAIL FROM:<a@client.example> RET=FULL ENVID=QQ314159   S: 250
C: RSET                                     S: 250
C: MAIL FROM:<a@client.example> ret=hdrs envid=a+2Bb+20c   S: 250
C: RCPT TO:<$ADDRESS> NOTIFY=NEVER ORCPT=rfc822;$ADDRESS   S: 250
C: RCPT TO:<$ADDRESS> notify=failure,DELAY orcpt=x400;/c+3Dus/   S: 250
C: RCPT TO:<$ADDRESS> ORCPT=rfc822;\{x*480}   S: 250
C: RCPT TO:<nobody@example.test> NOTIFY=SUCCESS   S: 550 5.1.1
C: RCPT TO:<a@elsewhere.example> NOTIFY=NEVER   S: 550 5.7.1
C: RCPT TO:<$ADDRESS> NOTIFY=NEVER,SUCCESS   S: 501 5.5.4
C: RCPT TO:<$ADDRESS> NOTIFY=SUCCESS,SUCCESS   S: 501
C: RCPT TO:<$ADDRESS> NOTIFY=               S: 501
C: RCPT TO:<$ADDRESS> NOTIFY                S: 501
C: RCPT TO:<$ADDRESS> NOTIFY=ALWAYS         S: 501
C: RCPT TO:<$ADDRESS> NOTIFY=NEVER NOTIFY=NEVER   S: 501
C: RCPT TO:<$ADDRESS> ORCPT=nothing         S: 501
C: RCPT TO:<$ADDRESS> ORCPT=rfc822;a+2      S: 501
C: RCPT TO:<$ADDRESS> ORCPT=rfc822;a+0D+0Ab   S: 501
C: RCPT TO:<$ADDRESS> ORCPT=rfc822;a ORCPT=rfc822;a   S: 501
C: RCPT TO:<$ADDRESS> RET=FULL              S: 555
C: DATA                                     S: 354
C: Subject: x\r\n\r\nx\r\n.                 S: 250 2.0.0
C: MAIL FROM:<a@client.example> RET=SOME    S: 501
C: MAIL FROM:<a@client.example> RET=FULL RET=FULL   S: 501
C: MAIL FROM:<a@client.example> ENVID=      S: 501
C: MAIL FROM:<a@client.example> ENVID=a+zz  S: 501
C: QUIT                                     S: 221 | EOF
