# RFC 9051 6.2.3: userid and password are astrings; the address is known in any case                            state new
C: a login "$ADDRESS" "$PASSWORD"      S: a OK [CAPABILITY
C: b LOGOUT                            S: * BYE … | b OK | EOF
