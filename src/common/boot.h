/* src/common/boot.h
 *
 * The control pair between supervisor and role: whole packets with descriptors. Messages down are
 * proto/supervisor.proto, reports up have a fixed size. */
#ifndef SRC_COMMON_BOOT_H
#define SRC_COMMON_BOOT_H
#include "lib/base/str.h"
#include "proto/supervisor.pb-c.h"

#define BOOT_FD         3
#define BOOT_PACKET_MAX KIB(128)
#define BOOT_FDS_MAX    80u

enum boot_kind { BOOT_NONE, BOOT_START, BOOT_EDGE, BOOT_STOP };
enum sandbox_mode { SANDBOX_AUTO, SANDBOX_REQUIRE, SANDBOX_OFF };

enum boot_report_kind { REPORT_NONE, REPORT_READY, REPORT_FAILED };
struct boot_report {
    uint8_t kind;
    uint8_t seccomp;
    uint8_t landlock_abi;
    uint8_t pad;
    int32_t error; /* REPORT_FAILED: E_* */
};

/* Never blocks: E_BUSY when the role does not read. The packed bytes are wiped (START holds keys). */
MUST_CHECK int boot_send(int fd, enum boot_kind kind, const ProtobufCMessage *m, const int *fds, size_t nfds);
/* One packet. Returns its length with *kind_out set; descriptors (close-on-exec) in fds, *nfds_out of
 * them. 0: the other side is gone. E_*. */
MUST_CHECK ssize_t boot_recv(int fd, void *buf, size_t cap, enum boot_kind *kind_out, int *fds,
                             size_t *nfds_out);
#endif
