/* src/main.c: one program, many processes. `role` is what the supervisor executes; all else is the
 * command line. */
#include "src/common/role.h"
#include "src/ctl/ctl.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "role") == 0)
        return role_main(argc - 1, argv + 1);
    return ctl_main(argc - 1, argv + 1);
}
