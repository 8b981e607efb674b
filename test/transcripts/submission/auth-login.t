# LOGIN, as old clients speak it: with the name behind it, and without   clients 2, state new
C: AUTH LOGIN                               S: 334 VXNlcm5hbWU6
C: $ADDRESS64                               S: 334 UGFzc3dvcmQ6
C: $PASSWORD64                              S: 235 2.7.0
C: MAIL FROM:<$ADDRESS>                     S: 250
C: QUIT                                     S: 221 | EOF
C2: AUTH LOGIN $ADDRESS64                   S2: 334 UGFzc3dvcmQ6
C2: $PASSWORD64                             S2: 235
C2: QUIT                                    S2: 221 | EOF
