# RFC 3461 by LMTP: offered after LHLO, and taken as by SMTP; REQUIRETLS, DELIVERBY and FUTURERELEASE are not   service lmtp
S: 220
C: LHLO front.example                       S: 250-… | … | 250-DSN | 250-MT-PRIORITY | 250-XCLIENT … | 250 HELP
C: MAIL FROM:<a@client.example> REQUIRETLS  S: 555
C: MAIL FROM:<a@client.example> BY=60;N     S: 555
C: MAIL FROM:<a@client.example> HOLDFOR=60  S: 555
C: MAIL FROM:<a@client.example> ENVID=q1 RET=HDRS MT-PRIORITY=2   S: 250
C: RCPT TO:<$ADDRESS> NOTIFY=FAILURE,DELAY ORCPT=rfc822;someone@client.example   S: 250
C: RCPT TO:<$ADDRESS2> NOTIFY=NEVER         S: 250
C: RCPT TO:<$ADDRESS2> NOTIFY=NEVER,DELAY   S: 501
C: DATA                                     S: 354
C: From: a@client.example\r\n\r\nhi\r\n.    S: 250 2.0.0 | 250 2.0.0
C: QUIT                                     S: 221 | EOF
