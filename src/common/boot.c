#include "src/common/boot.h"
#include "lib/base/errors.h"
#include <errno.h>
#include <sys/socket.h>

int boot_send(int fd, enum boot_kind kind, const ProtobufCMessage *m, const int *fds, size_t nfds)
{
    size_t n = 1 + protobuf_c_message_get_packed_size(m);
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(BOOT_FDS_MAX * sizeof(int))];
    } control = { 0 };
    struct msghdr msg = { .msg_iovlen = 1 };
    uint8_t *p;
    ssize_t w;

    if (n > BOOT_PACKET_MAX || nfds > BOOT_FDS_MAX)
        return E_LIMIT;
    if (!(p = malloc(n)))
        return E_NOMEM;
    p[0] = (uint8_t)kind;
    protobuf_c_message_pack(m, p + 1);
    msg.msg_iov = &(struct iovec){ p, n };
    if (nfds > 0) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        control.h.cmsg_level = SOL_SOCKET;
        control.h.cmsg_type = SCM_RIGHTS;
        control.h.cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(&control.h), fds, nfds * sizeof(int));
    }
    do
        w = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (w < 0 && errno == EINTR);
    explicit_bzero(p, n);
    free(p);
    return w == (ssize_t)n                         ? 0
           : errno == EAGAIN                       ? E_BUSY
           : errno == EPIPE || errno == ECONNRESET ? E_CLOSED
                                                   : E_IO;
}

ssize_t boot_recv(int fd, void *buf, size_t cap, enum boot_kind *kind_out, int *fds, size_t *nfds_out)
{
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(BOOT_FDS_MAX * sizeof(int))];
    } control = { 0 };
    struct msghdr msg = { .msg_iov = &(struct iovec){ buf, cap },
                          .msg_iovlen = 1,
                          .msg_control = &control,
                          .msg_controllen = sizeof control };
    struct cmsghdr *h;
    ssize_t n;

    *nfds_out = 0;
    do
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? E_BUSY : E_CLOSED;
    if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return E_BUG;
    h = CMSG_FIRSTHDR(&msg);
    if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
        *nfds_out = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(h), *nfds_out * sizeof(int));
    }
    if (n > 0)
        *kind_out = (enum boot_kind)((uint8_t *)buf)[0];
    return n;
}
