# RFC 5530 3: PRIVACYREQUIRED on a clear connection                            clear
S: * OK …
C: a LOGIN $ADDRESS $PASSWORD          S: a NO [PRIVACYREQUIRED]
C: b AUTHENTICATE PLAIN                S: b NO [PRIVACYREQUIRED]
