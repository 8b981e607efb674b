# RFC 2971 3: ID, in any state                                                                                    state new
C: a ID NIL              S: * ID ("name" "Letterlock") | a OK
C: b ID ("name" "test" "version" NIL "os" {5+}\r\nlinux)   S: * ID ("name" "Letterlock") | b OK
C: c ID ()               S: * ID ("name" "Letterlock") | c OK
C: d ID ("name")         S: d BAD
C: e ID                  S: e BAD
C: f ID (\{"a" "b" *30}"a" "b")   S: * ID … | f OK
C: g ID (\{"a" "b" *31}"a" "b")   S: g NO
