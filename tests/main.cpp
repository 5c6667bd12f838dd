// Catch2 2's main, alone, because it is slow to compile; Catch2 3 has it in a library.
#define CATCH_CONFIG_MAIN
#include "tests/catch.h"
