# RFC 2852 4 (BY), RFC 6710 4 (MT-PRIORITY), RFC 8689 4.1 (REQUIRETLS): good values and bad ones
C: MAIL FROM:<$ADDRESS> BY=120;R            S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> BY=120;NT           S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> BY=-60;N            S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> BY=-60;R            S: 501
C: MAIL FROM:<$ADDRESS> BY=0;R              S: 501
C: MAIL FROM:<$ADDRESS> BY=60               S: 501
C: MAIL FROM:<$ADDRESS> BY=60;X             S: 501
C: MAIL FROM:<$ADDRESS> BY=1234567890;R     S: 501
C: MAIL FROM:<$ADDRESS> BY=                 S: 501
C: MAIL FROM:<$ADDRESS> MT-PRIORITY=9       S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> MT-PRIORITY=-9      S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> MT-PRIORITY=0       S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> MT-PRIORITY=10      S: 501
C: MAIL FROM:<$ADDRESS> MT-PRIORITY=+1      S: 501
C: MAIL FROM:<$ADDRESS> MT-PRIORITY=high    S: 501
C: MAIL FROM:<$ADDRESS> MT-PRIORITY=1 MT-PRIORITY=2   S: 501
C: MAIL FROM:<$ADDRESS> REQUIRETLS=yes      S: 501
C: MAIL FROM:<$ADDRESS> REQUIRETLS REQUIRETLS   S: 501
C: MAIL FROM:<$ADDRESS> NOSUCH=1            S: 555
C: MAIL FROM:<$ADDRESS> requiretls by=60;n mt-priority=3 RET=FULL ENVID=q1 SIZE=100 BODY=8BITMIME   S: 250
C: RCPT TO:<a@far.example>                  S: 250
C: DATA                                     S: 354
C: From: $ADDRESS\r\n\r\nx\r\n.             S: 250 2.0.0
C: QUIT                                     S: 221 | EOF
