# What sends nothing but bad commands is no IMAP client                                                           state auth
C*25: a\# \x01           S*25: a\# BAD
S: * BYE … | EOF
