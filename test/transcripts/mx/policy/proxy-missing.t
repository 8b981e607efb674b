# Who is named as a balancer must say for whom he speaks                                                               service proxied
C: EHLO client.example
S: EOF
