/* lib/base/banned.h
 *
 * Functions whose misuse is the history of mail server holes do not compile (after Git's banned.h).
 * Force-included into every C file of the project; never into vendored code. */
#ifndef LIB_BASE_BANNED_H
#define LIB_BASE_BANNED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef strtok
#undef strtok_r
#undef sprintf
#undef vsprintf
#undef gets
#undef atoi
#undef atol
#undef atoll
#undef atof
#undef alloca

#define strcpy(...)   sorry_strcpy_is_a_banned_function
#define strcat(...)   sorry_strcat_is_a_banned_function
#define strncpy(...)  sorry_strncpy_is_a_banned_function
#define strncat(...)  sorry_strncat_is_a_banned_function
#define strtok(...)   sorry_strtok_is_a_banned_function
#define strtok_r(...) sorry_strtok_r_is_a_banned_function
#define sprintf(...)  sorry_sprintf_is_a_banned_function
#define vsprintf(...) sorry_vsprintf_is_a_banned_function
#define gets(...)     sorry_gets_is_a_banned_function
#define atoi(...)     sorry_atoi_is_a_banned_function
#define atol(...)     sorry_atol_is_a_banned_function
#define atoll(...)    sorry_atoll_is_a_banned_function
#define atof(...)     sorry_atof_is_a_banned_function
#define alloca(...)   sorry_alloca_is_a_banned_function
#endif
